"""What the step that repairs a wheel does about CUDA's libraries, where it can be tried without a toolkit."""

from __future__ import annotations

from email.parser import Parser

import pytest

from tests.support.programs import program

LIBS = program("docker/cuda/libs.py")
PROVIDES = """\
libcublas.so.11 nvidia/cublas/lib nvidia-cublas-cu11 11.11.3.6
libcublasLt.so.11 nvidia/cublas/lib nvidia-cublas-cu11 11.11.3.6
libnppc.so.11 nvidia/npp/lib nvidia-npp-cu11 11.8.0.86
"""


def test_a_library_is_known_with_its_package_and_folder() -> None:
    known = LIBS.packages(PROVIDES)
    assert known["libnppc.so.11"] == LIBS.Package("nvidia/npp/lib", "nvidia-npp-cu11", "11.8.0.86")
    assert known["libcublas.so.11"] == known["libcublasLt.so.11"]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("module.so", "$ORIGIN/nvidia/npp/lib"),
        ("cv2/cv2.so", "$ORIGIN/../nvidia/npp/lib"),
        ("a/b/c.so.2", "$ORIGIN/../../nvidia/npp/lib"),
    ],
)
def test_a_module_finds_its_libraries_beside_its_own_package(name: str, path: str) -> None:
    assert LIBS.runpath(name, {"nvidia/npp/lib"}, "", {".", "cv2", "a/b"}) == path


def test_folders_are_in_one_order() -> None:
    folders = {"nvidia/npp/lib", "nvidia/cublas/lib"}
    path = "$ORIGIN/nvidia/cublas/lib:$ORIGIN/nvidia/npp/lib"
    assert LIBS.runpath("m.so", folders, "", {"."}) == path


def test_a_module_still_finds_the_libraries_of_its_own_wheel_and_nothing_where_it_was_compiled() -> None:
    before = "$ORIGIN/..:$ORIGIN:/kiln/build/cuda/lib64:$ORIGIN/../../_solib:$ORIGINAL:$ORIGIN/../.."
    path = LIBS.runpath("toy/python/m.so", {"nvidia/nccl/lib"}, before, {".", "toy", "toy/python"})
    assert path == "$ORIGIN/..:$ORIGIN:$ORIGIN/../..:$ORIGIN/../../nvidia/nccl/lib"


def test_each_package_is_required_once_in_the_release_that_was_linked_or_a_later_one() -> None:
    found = set(LIBS.packages(PROVIDES).values())
    assert LIBS.requirements(found) == ["nvidia-cublas-cu11>=11.11.3.6", "nvidia-npp-cu11>=11.8.0.86"]


@pytest.mark.parametrize("body", [b"\n\nA wheel.\n\nMore.\n", b"\n"])
def test_the_requirements_join_those_that_are_there(body: bytes) -> None:
    before = b"Metadata-Version: 2.1\nName: toy\nRequires-Dist: numpy" + body
    after = LIBS.with_requirements(before, ["a>=1", "b>=2"]).decode()
    message = Parser().parsestr(after)
    assert message.get_all("Requires-Dist") == ["numpy", "a>=1", "b>=2"]
    assert message["Name"] == "toy"
    assert str(message.get_payload()).strip() == body.decode().strip()


def test_libraries_that_are_opened_by_name_count_like_those_that_are_linked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    also = LIBS.opened("# why\nmodule.so libnppc.so.11 libother.so.1\n\n")
    assert also == {"module.so": {"libnppc.so.11", "libother.so.1"}}
    monkeypatch.setattr(LIBS, "needed", lambda content: {"libcublas.so.11", "libc.so.6"})
    known = LIBS.packages(PROVIDES)
    found = LIBS.used("toy/module.so", b"", known, also)
    assert sorted(each.project for each in found) == ["nvidia-cublas-cu11", "nvidia-npp-cu11"]
    assert LIBS.used("toy/other.so", b"", known, also) == {known["libcublas.so.11"]}
