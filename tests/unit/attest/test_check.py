"""What `./inv check` must never let pass, and what it says of what is right."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiln import attest, commands
from kiln.build import Record, record
from kiln.commands import check
from kiln.core import Console, DifferenceError, Home, KilnError, UsageError, sha256_of
from kiln.index import folder as index_folder
from kiln.index import listing, publish, publish_target, read_result, results_in
from tests.support import wheels
from tests.support.loopback import Notes
from tests.support.served import served


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.of({"KILN_HOME": str(tmp_path / "home")})


@pytest.fixture
def signer(tmp_path: Path) -> attest.Signer:
    attest.make_key(tmp_path / "key", "")
    return attest.signer(str(tmp_path / "key"), {}, None)


@pytest.fixture
def signed(tmp_path: Path, signer: attest.Signer) -> Record:
    found = record.read(wheels.result(tmp_path / "made"))
    assert isinstance(found, Record)
    return attest.sign(found, signer)


def sums(folder: Path) -> None:
    """What somebody writes who changes a record and wants nobody to notice."""
    paths = sorted(path for path in folder.iterdir() if path.name != record.SUMS)
    (folder / record.SUMS).write_text("".join(f"{sha256_of(path)}  {path.name}\n" for path in paths))


def found(target: Path | str, home: Home, *keys: attest.PublicKey) -> dict[str, attest.Claim]:
    """Every claim by its name; of those of the same name a false one."""
    claims = [claim for each in check.check(str(target), keys, home) for claim in each.claims]
    return {claim.what: claim for claim in sorted(claims, key=lambda claim: claim.holds is False)}


def false(target: Path | str, home: Home, *keys: attest.PublicKey) -> dict[str, str]:
    """What is false of every claim; the command then ends with the exit code 5."""
    wrong = {what: claim.text for what, claim in found(target, home, *keys).items() if claim.holds is False}
    home.path.mkdir(exist_ok=True)
    files = [home.path / f"{number}.pub" for number, _ in enumerate(keys)]
    for file, key in zip(files, keys):
        file.write_text(key.to_ssh())
    if wrong:
        with pytest.raises(DifferenceError) as raised:
            commands.check.run(str(target), files, home, True, Console())
        assert raised.value.exit_code == 5
    return wrong


def test_a_sound_record_holds_in_everything_that_it_claims(
    signed: Record, home: Home, signer: attest.Signer
) -> None:
    claims = found(signed.wheel, home, signer.public)
    assert claims == found(signed.folder, home, signer.public)
    assert {what: claim.holds for what, claim in claims.items()} == {
        "files": True, "wheel": True, "build key": True, "provenance": True, "sbom": None, "reproduced": None,
        "signature": True, "smoke": True,
    }  # fmt: skip


def test_an_unsigned_record_says_so_and_is_false_for_a_person_who_wants_a_signature(
    tmp_path: Path, home: Home, signer: attest.Signer
) -> None:
    folder = wheels.result(tmp_path / "made")
    assert found(folder, home)["signature"] == attest.Claim("signature", None, "not signed")
    assert false(folder, home, signer.public) == {"signature": "not signed"}


def test_a_signature_of_a_key_that_nobody_gave_proves_nothing(
    tmp_path: Path, signed: Record, home: Home, signer: attest.Signer
) -> None:
    assert found(signed.folder, home)["signature"].holds is None
    other = attest.make_key(tmp_path / "other", "")
    assert "not by a key that was given" in false(signed.folder, home, other)["signature"]
    assert false(signed.folder, home, other, signer.public) == {}


def test_never_passes_a_wheel_that_was_altered_after_its_record(
    tmp_path: Path, signed: Record, home: Home, signer: attest.Signer
) -> None:
    other = wheels.wheel(tmp_path / "other", says="altered")
    shutil.copy(other, signed.wheel)
    assert f"{signed.wheel.name} is not what was recorded" in false(signed.folder, home)["files"]
    sums(signed.folder)
    wrong = false(signed.folder, home)
    assert "files" not in wrong
    assert wrong["signature"] == "it is the signature of another wheel"
    assert wrong["provenance"] == "it is about another wheel"
    assert "the wheel says nothing" in wrong["build key"]


@pytest.mark.parametrize(
    "name", ["plan.json", "smoke.xml", "toolchain.json", "provenance.intoto.jsonl", "smoke.key"]
)
def test_never_passes_a_record_that_was_altered(
    signed: Record, home: Home, signer: attest.Signer, name: str
) -> None:
    path = signed.folder / name
    path.write_text(path.read_text() + " ")
    assert false(signed.folder, home, signer.public)["files"] == f"{name} is not what was recorded"
    sums(signed.folder)
    wrong = false(signed.folder, home, signer.public)
    assert "files" not in wrong and wrong["signature"] == f"{name} is not what was signed"


def test_never_passes_a_key_that_is_not_the_digest_of_the_recorded_inputs(signed: Record, home: Home) -> None:
    path = signed.folder / record.PLAN
    plan = json.loads(path.read_text())
    plan["inputs"]["environment"]["KILN_CPU_FEATURES"] = "avx512f"
    path.write_text(json.dumps(plan))
    sums(signed.folder)
    assert "the recorded inputs give" in false(signed.folder, home)["build key"]


def test_never_passes_a_provenance_that_leaves_out_an_input(signed: Record, home: Home) -> None:
    path = signed.folder / record.PROVENANCE
    value = json.loads(path.read_text())
    dependencies = value["predicate"]["buildDefinition"]["resolvedDependencies"]
    value["predicate"]["buildDefinition"]["resolvedDependencies"] = [
        each for each in dependencies if each["name"] != "docker/common/repair.sh"
    ]
    path.write_text(json.dumps(value))
    sums(signed.folder)
    assert false(signed.folder, home)["provenance"] == "docker/common/repair.sh of the plan is not in it"


def test_never_takes_the_signature_of_another_wheel(
    tmp_path: Path, signed: Record, home: Home, signer: attest.Signer
) -> None:
    other = record.read(wheels.result(tmp_path / "two", cpu_features="avx"))
    assert isinstance(other, Record)
    text = (signed.folder / record.SIGNATURES).read_text()
    record.add(other, record.SIGNATURES, text)
    assert false(other.folder, home, signer.public) == {"signature": "it is the signature of another wheel"}
    assert "signature" in false(other.folder, home)  # also without a key
    record.add(other, record.SIGNATURES, "no envelope\n")
    assert "signature" in false(other.folder, home)


@pytest.mark.parametrize(
    ("report", "text"),
    [
        (wheels.FAILED, "1 failed, test_toy first"),
        ("<testsuite/>", "no test passed"),
        ("", "no readable report"),
    ],
)
def test_never_passes_a_wheel_whose_smoke_suite_failed(
    tmp_path: Path, home: Home, signer: attest.Signer, report: str, text: str
) -> None:
    made = record.read(wheels.result(tmp_path / "made", smoke=report))
    assert isinstance(made, Record)
    attest.sign(made, signer)  # a signature does not help
    assert text in false(made.folder, home, signer.public)["smoke"]


def test_never_passes_a_report_of_another_suite(signed: Record, home: Home) -> None:
    (signed.folder / record.SMOKE_KEY).write_text("f" * 64 + "\n")
    sums(signed.folder)
    assert "another suite" in false(signed.folder, home)["smoke"]


def test_reproduced_is_believed_only_of_this_wheel(signed: Record, home: Home, signer: attest.Signer) -> None:
    joined = record.add(signed, record.REPRODUCED, json.dumps({"sha256": sha256_of(signed.wheel)}))
    claims = found(joined.folder, home, signer.public)
    assert claims["reproduced"].holds and claims["signature"].holds
    record.add(joined, record.REPRODUCED, json.dumps({"sha256": "0" * 64}))
    assert false(joined.folder, home) == {"reproduced": "it is about another wheel"}


def test_what_is_withdrawn_takes_only_those_signatures_along_that_are_over_it(
    signed: Record, home: Home, signer: attest.Signer
) -> None:
    joined = record.add(signed, record.REPRODUCED, json.dumps({"sha256": sha256_of(signed.wheel)}))
    pages = {record.REPORT: lambda folder: str((folder / record.REPRODUCED).exists())}
    withdrawn = attest.withdraw(joined, record.REPRODUCED, pages)
    # What is signed stays as it is.
    assert not (withdrawn.folder / record.REPORT).exists()
    claims = found(withdrawn.folder, home, signer.public)
    assert claims["reproduced"].holds is None and claims["signature"].holds
    again = attest.sign(record.add(withdrawn, record.REPRODUCED, "{}"), signer)
    unsigned = attest.withdraw(again, record.REPRODUCED, pages).folder
    assert (unsigned / record.REPORT).read_text(encoding="utf-8") == "False"
    claims = found(unsigned, home)
    assert (claims["signature"].holds, claims["signature"].text) == (None, "not signed")
    assert claims["files"].holds


def test_the_command_has_a_table_json_and_the_exit_codes(
    tmp_path: Path, signed: Record, home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    commands.check.run(str(signed.wheel), [tmp_path / "key.pub"], home, False, Console())
    shown = capsys.readouterr().out
    assert signed.wheel.name in shown and "build key" in shown
    commands.check.run(str(signed.wheel), [], home, True, Console())
    (row,) = json.loads(capsys.readouterr().out)
    assert {"what": "signature", "holds": None}.items() <= row["claims"][6].items()
    signed.wheel.write_bytes(b"x")
    with pytest.raises(DifferenceError) as raised:
        commands.check.run(str(signed.wheel), [], home, True, Console())
    assert raised.value.exit_code == 5 and "files" in str(raised.value)


@pytest.mark.parametrize("target", ["nowhere", ".", "made/built/toy-1.0+1-py3-none-any.whl"])
def test_what_has_no_record_is_not_checked(tmp_path: Path, signed: Record, home: Home, target: str) -> None:
    with pytest.raises(UsageError):
        check.check(str(tmp_path / target), [], home)


# An index


def another(folder: Path, signer: attest.Signer, **asked: str) -> Path:
    """A second wheel, signed as well."""
    made = record.read(wheels.result(folder, **asked))
    assert isinstance(made, Record)
    return attest.sign(made, signer).folder


def publish_all(target: Path, results: Path, signer: attest.Signer | None) -> None:
    index_folder.update(target, map(read_result, results_in([results])), {}, Notes(), signer)


@pytest.fixture
def made(tmp_path: Path, signed: Record, signer: attest.Signer) -> Path:
    publish_all(tmp_path / "index", signed.folder, signer)
    return tmp_path / "index"


@pytest.fixture
def mirror(tmp_path: Path, made: Path) -> Iterator[tuple[str, Path]]:
    """The address of a mirror of the index, and the folder that it serves."""
    folder = tmp_path / "mirror"
    shutil.copytree(made, folder)
    with served(folder) as address:
        yield address, folder


def test_a_sound_index_holds_with_all_its_wheels_as_a_folder_and_by_http(
    made: Path, mirror: tuple[str, Path], home: Home, signer: attest.Signer
) -> None:
    for target in (str(made), mirror[0], mirror[0] + "/simple/"):
        claims = found(target, home, signer.public)
        assert [what for what, claim in claims.items() if claim.holds is False] == []
        holding = (
            "signed list",
            "version",
            "files",
            "index",
            "build key",
            "provenance",
            "signature",
            "smoke",
        )
        assert all(claims[what].holds for what in holding)


def test_the_list_has_a_new_version_only_where_a_file_is_new(
    tmp_path: Path, made: Path, signed: Record, signer: attest.Signer
) -> None:
    before = (made / listing.NAME).read_bytes()
    publish_all(made, signed.folder, signer)
    assert (made / listing.NAME).read_bytes() == before
    publish_all(made, another(tmp_path / "two", signer, cpu_features="avx"), signer)
    found = listing.read(made)
    assert found and found.version == 2
    with pytest.raises(UsageError, match="--sign"):
        publish_all(made, wheels.result(tmp_path / "three", options={"fast": False}), None)


@pytest.mark.parametrize(
    "path", ["simple/toy/index.html", "index.json", "files/toy-1.0+1-py3-none-any.whl.metadata", "index.html"]
)
@pytest.mark.parametrize("harm", ["alter", "drop"])
def test_never_passes_a_mirror_that_alters_or_drops_a_file(
    mirror: tuple[str, Path], home: Home, signer: attest.Signer, path: str, harm: str
) -> None:
    address, folder = mirror
    if harm == "drop":
        (folder / path).unlink()
    else:
        (folder / path).write_text((folder / path).read_text() + " ")
    try:
        assert path in false(address, home, signer.public)["files"]
    except KilnError:
        assert (path, harm) == ("index.json", "drop")  # without its manifest it is not an index


def test_never_passes_a_mirror_with_another_wheel_and_pages_that_fit(
    tmp_path: Path, mirror: tuple[str, Path], home: Home, signer: attest.Signer
) -> None:
    """Somebody without the key makes a whole index again, with the old list or one of another key."""
    address, folder = mirror
    old = (folder / listing.NAME).read_text()
    shutil.rmtree(folder)
    attest.make_key(tmp_path / "thief", "")
    thief = attest.signer(str(tmp_path / "thief"), {}, None)
    publish_all(folder, wheels.result(tmp_path / "evil", says="evil"), thief)
    assert {"signed list", "signature"} <= set(false(address, home, signer.public))
    (folder / listing.NAME).write_text(old)
    assert {"files", "signature"} <= set(false(address, home, signer.public))
    (folder / listing.NAME).unlink()
    assert false(address, home, signer.public)["signed list"] == "not signed"


def test_never_takes_an_old_index_in_place_of_a_newer_one(
    tmp_path: Path, made: Path, mirror: tuple[str, Path], home: Home, signer: attest.Signer
) -> None:
    address, folder = mirror
    publish_all(folder, another(tmp_path / "two", signer, cpu_features="avx"), signer)
    assert false(address, home, signer.public) == {}
    shutil.rmtree(folder)
    shutil.copytree(made, folder)
    assert "version 2 was seen before" in false(address, home, signer.public)["version"]
    assert "version" in false(address, home)  # also for a person who gives no key now
    other = Home.of({"KILN_HOME": str(tmp_path / "other")})
    assert false(address, other, signer.public) == {}  # who never saw the newer one cannot know


def test_never_takes_another_list_with_the_same_version(
    tmp_path: Path, made: Path, mirror: tuple[str, Path], home: Home, signer: attest.Signer
) -> None:
    address, folder = mirror
    assert false(address, home, signer.public) == {}
    (folder / listing.NAME).unlink()
    publish_all(folder, another(tmp_path / "two", signer, cpu_features="avx"), signer)
    assert "version 1 was seen before" in false(address, home, signer.public)["version"]


def test_a_list_without_a_known_key_is_not_remembered(
    mirror: tuple[str, Path], home: Home, signer: attest.Signer
) -> None:
    assert found(mirror[0], home)["signed list"].holds is None
    assert not (home.path / "indexes.json").exists()


def test_a_signed_index_is_published_with_its_list_and_never_over_a_newer_one(
    tmp_path: Path, made: Path, signed: Record, home: Home, signer: attest.Signer
) -> None:
    to = publish_target(str(tmp_path / "site"))
    publish(made, to, {}, Notes())
    assert false(tmp_path / "site", home, signer.public) == {}
    newer = tmp_path / "newer"
    shutil.copytree(made, newer)
    publish_all(newer, another(tmp_path / "two", signer, cpu_features="avx"), signer)
    publish(newer, to, {}, Notes())
    before = (tmp_path / "site" / listing.NAME).read_bytes()
    with pytest.raises(DifferenceError, match="version 2"):
        publish(made, to, {}, Notes())
    assert (tmp_path / "site" / listing.NAME).read_bytes() == before
    assert false(tmp_path / "site", home, signer.public) == {}


def test_a_signed_index_is_not_merged_with_files_that_its_list_does_not_have(
    tmp_path: Path, made: Path, signer: attest.Signer
) -> None:
    site = tmp_path / "site"
    publish_all(site, another(tmp_path / "two", signer, cpu_features="avx"), None)
    before = {path: path.read_bytes() for path in site.rglob("*") if path.is_file()}
    with pytest.raises(DifferenceError, match="not what the signed list has"):
        publish(made, publish_target(str(site)), {}, Notes())
    assert {path: path.read_bytes() for path in site.rglob("*") if path.is_file()} == before
