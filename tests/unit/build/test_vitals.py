from __future__ import annotations

import heapq
from pathlib import Path

import pytest

from kiln.build import Meter
from kiln.build.vitals import CACHE_LOG, Vitals
from kiln.core import Count
from kiln.core.progress import Pace
from kiln.engine import Reading, Usage

HEAD = "# ninja log v5\n"


def vitals(folder: Path, kernels: int, log: str) -> Vitals:
    (folder / "cmake").mkdir(exist_ok=True)
    objects = "".join(f"build k{number}.cu.o: CUDA k{number}.cu\n" for number in range(kernels))
    (folder / "cmake/build.ninja").write_text(f"rule CUDA\nbuild all: phony a.o\nbuild a.txt: GEN\n{objects}")
    (folder / "cmake/.ninja_log").write_text(HEAD + log)
    return Vitals(folder, None)


def row(begun: float, end: float, name: str) -> str:
    return f"{begun * 1000:.0f}\t{end * 1000:.0f}\t0\t{name}\t{name}\n"


def test_what_a_kernel_takes_is_learned_in_this_build(tmp_path: Path) -> None:
    log = "".join(row(0, 2, f"{number}.cpp.o") for number in range(5))
    few = vitals(tmp_path, 10, log).work(Count(5, 20))
    assert few and few.total - few.done == pytest.approx(10 * 20 * 2 + 5 * 2)
    log += "".join(row(2, 62, f"k{number}.cu.o") for number in range(5))
    work = vitals(tmp_path, 10, log).work(Count(10, 20))
    assert work and work.done == pytest.approx(5 * 2 + 5 * 60)
    assert work.total - work.done == pytest.approx(5 * 60 + 5 * 2)


def test_a_log_is_read_on_where_it_was_left_and_an_action_counts_once(tmp_path: Path) -> None:
    found = vitals(tmp_path, 10, row(0, 2, "a.o"))
    log = tmp_path / "cmake/.ninja_log"
    (first := found.work(Count(1, 5)))
    with log.open("a") as more:
        more.write("0\t2000\t0\tb.o\ta.o\n" + row(2, 5, "c.o") + "5000\t90")
    second = found.work(Count(3, 5))
    assert first and second and (first.done, second.done) == (2, 5)


def test_without_kernels_or_ninjas_files_or_before_the_first_action_nothing_is_weighed(
    tmp_path: Path,
) -> None:
    assert vitals(tmp_path, 5, "").work(Count(1, 20)) is None
    assert vitals(tmp_path, 0, row(0, 1, "a.o")).work(Count(1, 20)) is None
    assert Vitals(tmp_path / "none", None).work(Count(1, 3)) is None


def test_no_link_that_a_container_made_is_followed(tmp_path: Path) -> None:
    found = vitals(tmp_path, 5, "")
    (tmp_path / "cmake/.ninja_log").unlink()
    (tmp_path / "cmake/.ninja_log").symlink_to("/dev/zero")
    (tmp_path / CACHE_LOG).symlink_to("/dev/zero")
    assert found.work(Count(1, 20)) is None and list(found.facts()) == []


def test_a_build_of_kernels_never_seems_to_be_nearly_done(tmp_path: Path) -> None:
    """Two cores, 600 files of 4 s and 200 kernels of 150 s, which ninja begins when most files are done."""
    actions = [(4.0, f"f{number}.cpp.o") for number in range(550)]
    for number in range(200):
        actions += [(150.0, f"k{number}.cu.o"), *([(4.0, f"g{number}.cpp.o")] if number % 4 == 0 else [])]
    pace, said = Pace(0), []
    cores = [0.0, 0.0]
    ended = []
    for seconds, name in actions:
        begun = heapq.heappop(cores)
        heapq.heappush(cores, begun + seconds)
        ended.append((begun + seconds, begun, name))
    end = max(cores)
    found = vitals(tmp_path, 200, "")
    with (tmp_path / "cmake/build.ninja").open("a") as manifest:
        manifest.writelines(f"build {name}: CXX {name}\n" for _, name in actions if ".cpp" in name)
    for done, (now, begun, name) in enumerate(sorted(ended), start=1):
        with (tmp_path / "cmake/.ninja_log").open("a") as log:
            log.write(row(begun, now, name))
        pace.at(now, latest := Count(done, len(actions)), found.work(latest))
        left = pace.left(now)
        if left is not None:
            said.append((end - now, left))
    assert said, "an estimate comes"
    assert all(abs(left - true) <= 0.25 * true + 60 for true, left in said)


def test_the_most_memory_and_the_hits_of_the_cache_are_facts(tmp_path: Path) -> None:
    meter, usage = Meter(), Usage()
    for at, memory in ((0.0, 10**8), (2.0, 1_340_000_000), (4.0, 10**6)):
        usage.add(Reading(at, at, memory))
    meter.usage = usage
    (tmp_path / CACHE_LOG).write_text(
        "# /kiln/trees/a.c\ncache_miss\nlocal_storage_miss\n# /kiln/trees/b.c\ndirect_cache_hit\n"
        "# /kiln/trees/c.c\npreprocessed_cache_hit\n"
    )
    assert list(Vitals(tmp_path, meter).facts()) == ["1.3 GB of memory at most", "2 of 3 from the cache"]
    assert list(Vitals(tmp_path / "none", None).facts()) == []


def test_the_log_of_the_cache_is_read_on_and_begun_again_for_another_log(tmp_path: Path) -> None:
    found, log = Vitals(tmp_path, None), tmp_path / CACHE_LOG
    log.write_text("direct_cache_hit\ncache_miss\ndirect_cac")
    assert list(found.facts()) == ["1 of 2 from the cache"]
    with log.open("a") as more:
        more.write("he_hit\ndirect_cache_hit\n")
    assert list(found.facts()) == ["3 of 4 from the cache"]
    log.write_text("cache_miss\n")
    assert list(found.facts()) == ["0 of 1 from the cache"]
