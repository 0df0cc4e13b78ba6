from __future__ import annotations

import pytest

from kiln.report import log

LINES = """\
== sources: opencv: https://x.example/a cannot be reached
warning: before any step
== compile: configure (scripts/configure.sh)
CMake Warning (dev) at cmake/OpenCVDetectPython.cmake:81 (find_package):

  The Python is old.
CMake Warning at cmake/Other.cmake:3 (message):
  Something else.
== configure ended with status 0
== compile: compile (scripts/compile.sh)
/kiln/trees/a/png.c:12:3: warning: ‘x’ may be used uninitialized [-Wmaybe-uninitialized]
/kiln/trees/a/png.c:13:3: warning: ‘y’ may be used uninitialized [-Wmaybe-uninitialized]
/kiln/trees/a/tif.c:1:1: warning: argument 1 of type ‘float[3]’ with mismatched bound [-Warray-parameter=]
/kiln/trees/a/k.cu(7): warning #177-D: variable "n" was declared but never referenced
[5/9] Building CXX object warning.c.o
cc1plus: warning: command-line option ‘-Wno-x’ is valid for C/ObjC but not for C++
== compile ended with status 0
== wheel: repair (common/repair.sh)
warning: no files found matching 'README'
warning: no files found matching 'LICENSE'
<string>:5: DeprecationWarning: The distutils package is deprecated
== repair ended with status 0
== smoke: smoke (smoke/common/run.sh)
warning: of the tests
""".splitlines()


def test_warnings_are_grouped_by_what_they_warn_of() -> None:
    found = [(each.kind, each.count, each.files) for each in log.warnings(LINES)]
    assert found == [
        ("-Wmaybe-uninitialized", 2, 1),
        ("CMake warning", 2, 2),
        ("no files found matching …", 2, 0),
        ("-Warray-parameter", 1, 1),
        ("DeprecationWarning", 1, 1),
        ("command-line option … is valid for C/ObjC but not for C++", 1, 1),
        ("nvcc's #177-D", 1, 1),
    ]
    first, cmake, *_ = log.warnings(LINES)
    assert (first.example, first.place) == ("‘x’ may be used uninitialized", "/kiln/trees/a/png.c")
    assert (cmake.example, cmake.place) == ("The Python is old.", "cmake/OpenCVDetectPython.cmake")


CCACHE_47 = """\
Cacheable calls:    895 /   895 (100.0%)
  Hits:               1 /   895 ( 0.11%)
    Direct:           1 /     1 (100.0%)
  Misses:           894 /   895 (99.89%)
Local storage:
  Hits:               5 /     7
"""
CCACHE_42 = """\
Summary:
  Hits:               12 /    120 (10.00 %)
    Direct:           12 /    120
"""
CCACHE_34 = """\
cache hit (direct)                    30
cache hit (preprocessed)               3
cache miss                            67
cache hit rate                     33.00 %
"""


@pytest.mark.parametrize(
    ("printed", "tool", "hits", "asked"),
    [
        (CCACHE_47, "ccache", 1, 895),
        (CCACHE_42, "ccache", 12, 120),
        (CCACHE_34, "ccache", 33, 100),
        ("INFO: 4,429 processes: 4,000 remote cache hit, 429 local.", "Bazel", 4000, 4429),
        ("INFO: 4429 processes: 4429 local.", "Bazel", 0, 4429),
        ("INFO: 12 processes: 10 disk cache hit, 2 internal.", "Bazel", 10, 12),
    ],
    ids=["ccache 4.7", "ccache 4.2", "ccache 3.4", "Bazel", "Bazel without hits", "newer Bazel"],
)
def test_the_sums_of_every_cache_are_read(printed: str, tool: str, hits: int, asked: int) -> None:
    lines = ["== compile: compile (scripts/compile.sh)", *printed.splitlines()]
    assert log.cache_hits(lines) == [log.CacheHits("compile", tool, hits, asked)]


def test_a_log_without_sums_has_none() -> None:
    assert log.cache_hits(LINES) == [] and log.warnings([]) == []
    assert log.CacheHits("compile", "ccache", 0, 0).share == 0
