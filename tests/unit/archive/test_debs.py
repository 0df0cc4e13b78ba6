from __future__ import annotations

import gzip
import tarfile
from pathlib import Path

import pytest

from kiln.archive import debs
from kiln.core.errors import SourceError
from tests.support import packages


def test_a_packages_control_file_is_what_an_index_of_apt_has(tmp_path: Path) -> None:
    made = packages.deb(tmp_path, "toy", usr__bin__toy=b"#!/bin/sh\n")
    assert debs.control(made).splitlines()[:2] == ["Package: toy", "Version: 1.0"]


def test_what_packages_unpack_to_has_its_programs_in_usr(tmp_path: Path) -> None:
    first = packages.deb(
        tmp_path, "first", packages.folder("./bin"), packages.link("./bin/also", "bin/toy", tarfile.LNKTYPE),
        bin__toy=b"toy", etc__toy=b"one",
    )  # fmt: skip
    second = packages.deb(tmp_path, "second", packages.folder("./bin"), usr__share__x=b"x")
    debs.unpacked([first, second], tmp_path / "root.tar")
    with tarfile.open(tmp_path / "root.tar") as tar:
        names = tar.getnames()
        assert tar.getmember("bin").linkname == "usr/bin" and tar.getmember("lib64").issym()
        assert tar.getmember("usr/bin/also").linkname == "usr/bin/toy"
    assert names.count("usr/bin") == 1
    assert {"usr/bin/toy", "etc/toy", "usr/share/x"} <= set(names)


@pytest.mark.parametrize("harm", [b"", b"!<arch>\n", b"no package at all", b"!<arch>\nshort"])
def test_what_is_no_package_is_named(tmp_path: Path, harm: bytes) -> None:
    (tmp_path / "bad.deb").write_bytes(harm)
    with pytest.raises(SourceError, match=r"bad\.deb"):
        debs.control(tmp_path / "bad.deb")


def test_a_package_that_is_cut_is_named(tmp_path: Path) -> None:
    made = packages.deb(tmp_path, "toy", usr__bin__toy=bytes(range(256)) * 64)
    made.write_bytes(made.read_bytes()[:-40])
    with pytest.raises(SourceError, match="toy"):
        debs.contents([made])


def test_the_first_file_that_differs_is_named_with_what_differs(tmp_path: Path) -> None:
    one = packages.deb(tmp_path, "one", etc__a=b"same", etc__b=b"before", etc__c=b"c")
    expected = debs.contents([one])
    debs.unpacked([one], tmp_path / "root.tar")
    found = {
        path: what for path, what in debs.entries(tmp_path / "root.tar").items() if path not in debs.MERGED
    }
    assert debs.first_difference(expected, found) == ""
    assert debs.first_difference(expected, {**found, "etc/b": "file 0644 0:0 other"}).startswith(
        "/etc/b is file"
    )
    assert debs.first_difference(
        expected, {**found, "etc/a": found["etc/a"].replace("0644", "0600")}
    ).startswith("/etc/a")
    assert debs.first_difference({**expected, "etc/d": "link"}, found) == "/etc/d is missing"
    assert debs.first_difference(expected, {**found, "etc/aa": "folder"}) == "/etc/aa is not expected"


def test_the_files_of_a_later_package_are_those_that_count(tmp_path: Path) -> None:
    one = packages.deb(tmp_path, "one", etc__a=b"one")
    two = packages.deb(tmp_path, "two", etc__a=b"two")
    assert debs.contents([one, two]) == debs.contents([two])


def ar(tmp_path: Path, data: bytes, size: int | None = None) -> Path:
    """A package with this as the archive of its files."""
    path = tmp_path / "odd.deb"
    length = len(data) if size is None else size
    path.write_bytes(b"!<arch>\n" + f"{'data.tar':<48}{length:<10}`\n".encode() + data)
    return path


def test_a_package_that_unpacks_to_too_much_or_to_other_bytes_is_named(tmp_path: Path) -> None:
    huge = tarfile.TarInfo("x")
    huge.type, huge.size = tarfile.GNUTYPE_LONGNAME, 4 << 30
    one = tarfile.TarInfo("x")
    one.size = 512
    packed = bytearray(gzip.compress(one.tobuf() + bytes(512)))
    packed[-8:-4] = b"odd!"  # the sum of what was compressed
    bomb = gzip.compress(huge.tobuf() + bytes(1 << 20))
    for data in (bytes(packed), bomb):
        with pytest.raises(SourceError, match=r"odd\.deb is not a package that can be read"):
            debs.contents([ar(tmp_path, data)])
    with pytest.raises(SourceError, match="a part of it has -60 bytes"):
        debs.control(ar(tmp_path, b"", size=-60))
