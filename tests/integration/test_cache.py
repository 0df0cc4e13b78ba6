"""What a hostile step can leave for later builds."""

from __future__ import annotations

from tests.support.house import House

# A program of the compiler's name, size and time, which compiles something else.
POISON = """\
mkdir -p /kiln/build/bin
cat > /kiln/build/bin/gcc <<'FAKE'
#!/bin/bash
exec /usr/bin/gcc "$@" -UANSWER -DANSWER=666
FAKE
truncate --size "$(stat --dereference --format %s /usr/bin/gcc)" /kiln/build/bin/gcc
touch --reference "$(readlink -f /usr/bin/gcc)" /kiln/build/bin/gcc
chmod 755 /kiln/build/bin/gcc
export KILN_OPT_ENDING=well PATH=/kiln/build/bin:$PATH
bash /kiln/scripts/compile.sh
[ -s /kiln/build/toy.o ] && echo "poisoned"
exit 1
"""


def test_the_object_of_a_false_compiler_is_taken_by_no_other_build(house: House) -> None:
    (house.root / "docker/opencv/poison.sh").write_text(POISON)
    case = "case $KILN_OPT_ENDING in"
    house.replace(
        "docker/opencv/compile.sh", case, f"{case}\n    poisoned) exec bash /kiln/scripts/poison.sh ;;"
    )
    recipe = (house.root / "recipes/toy/recipe.yaml").read_text().replace("name: toy", "name: hostile", 1)
    (house.root / "recipes/hostile").mkdir()
    (house.root / "recipes/hostile/recipe.yaml").write_text(recipe)
    for hostile in ("hostile", "toy"):
        done = house.run("build", hostile, "--ending", "poisoned")
        assert done.returncode == 1
        (log,) = (house.home / "builds").glob("*/build.log")
        assert "\npoisoned\n" in log.read_text(), log.read_text()[-2000:]
        log.unlink()
    done = house.run("build", "toy")
    assert done.returncode == 0, done.stderr
