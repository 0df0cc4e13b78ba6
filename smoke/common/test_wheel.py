"""It is the wheel that was built, whole, and fit for the systems that its tag promises."""

import base64
import hashlib
import os
import re
import sys

import pytest

import known


def test_version_is_the_one_asked_for():
    assert known.distribution().version == known.asked_for("KILN_WHEEL_VERSION")


def test_build_key_in_the_wheel_is_that_of_its_plan(record_property):
    key, stamp = known.asked_for("KILN_BUILD_KEY"), known.stamp()
    assert stamp, "the wheel says nothing of the build that it came from"
    record_property("build key", stamp["build_key"])
    assert stamp["build_key"] == key


def test_pip_finds_no_broken_requirement():
    path = os.environ.get("KILN_PIP_CHECK")
    if path is None:
        pytest.skip("KILN_PIP_CHECK names no file with what `pip check` said")
    with open(path) as file:
        assert file.read().strip() == "No broken requirements found."


def test_every_file_of_the_wheel_is_there_unchanged(record_property):
    checked = 0
    for path, place, digest, size in known.files():
        if digest:
            with open(place, "rb") as file:
                content = file.read()
            found = base64.urlsafe_b64encode(hashlib.new(digest.mode, content).digest()).decode().rstrip("=")
            assert (found, len(content)) == (digest.value, size), path
            checked += 1
    record_property("files compared with RECORD", checked)
    assert checked > 2


def test_no_file_lies_outside_its_package():
    packages = set(known.asked_for("KILN_PACKAGES").split())
    site = os.path.realpath(os.path.dirname(str(known.distribution()._path)))
    programs = os.path.realpath(os.path.dirname(sys.executable))
    outside = []
    for path, place, _, _ in known.files():
        folder = os.path.realpath(os.path.dirname(place))
        inside = os.path.relpath(os.path.join(folder, os.path.basename(place)), site)
        # What an installer compiles of a module lies beside it.
        first = inside.replace("__pycache__" + os.sep, "", 1).split(os.sep)[0]
        # A module may be a file of its own; the libraries that a repair grafts in have a folder beside the package.
        if first.split(".")[0] in packages or re.match(
            r"[\w.]+-[\w.+]+\.(dist-info|libs)$|[\w]+\.libs$", first
        ):
            continue
        if folder != programs:
            outside.append(path)
    assert outside == []


def test_no_shared_library_is_missing(record_property):
    libraries = [place for _, place, _, _ in known.files() if os.path.isfile(place) and known.is_elf(place)]
    own = {os.path.basename(place) for place in libraries}
    missing = set()
    for place in libraries:
        said = known.output("ldd", place)
        # The wheel's own are loaded before, by the same name; the driver's library comes with the graphics card.
        missing |= set(re.findall(r"^\s*(\S+) => not found", said, re.MULTILINE)) - own - {"libcuda.so.1"}
    # So are those of a package that the wheel needs, such as TensorFlow, which it imports first.
    missing -= known.libraries_of_others()
    record_property("shared libraries", len(libraries))
    assert sorted(missing) == []


def test_symbols_are_no_newer_than_the_tag(record_property):
    facts = known.facts()
    newest = {}
    for library in facts["libraries"].values():
        for family, number in library["newest"].items():
            newest[family] = max(newest.get(family, "0"), number, key=number_of)
    for family in ("GLIBC", "GLIBCXX", "CXXABI"):
        if family in newest:
            record_property("newest " + family, newest[family])
    if facts["policy"] is None:
        pytest.skip("the wheel's tag promises no version of the C library")
    record_property("tag", facts["policy"])
    too_new = {name: each["too_new"] for name, each in facts["libraries"].items() if each["too_new"]}
    assert too_new == {}


def test_libraries_from_outside_are_those_that_the_tag_promises():
    facts = known.facts()
    if facts["policy"] is None:
        pytest.skip("the wheel's tag promises no library of the system")
    # The loader itself, and what the interpreter's process has loaded; those of a toolkit where it is, and
    # what the wheel says that it requires of the system.
    python = re.compile(
        r"ld-linux|libpython|lib(cuda|cudart|cudnn|cublas|cufft|curand|cusolver|cusparse|nccl|npp[a-z]*)\.so"
        + "".join(
            "|" + re.escape(name) for name in known.distribution().metadata.get_all("Requires-External") or []
        )
    )
    others = known.libraries_of_others()
    outside = facts["outside"].items()
    assert {name: users for name, users in outside if not (python.match(name) or name in others)} == {}


def test_libraries_agree_on_the_cxx_abi(record_property):
    libraries = known.facts()["libraries"]
    names = sum(each["cxx_names"] for each in libraries.values())
    new = sum(each["cxx11_names"] for each in libraries.values())
    if not names:
        pytest.skip("the wheel's libraries have no C++ names")
    record_property("C++ names", names)
    record_property("C++ names of the new ABI", new)
    # A library with the old ABI's names among others of the new cannot pass a string to them.
    large = [each for each in libraries.values() if each["cxx_names"] > 2000]
    assert len({each["cxx11_names"] > 20 for each in large}) <= 1


def number_of(text):
    return tuple(int(part) for part in text.split("."))
