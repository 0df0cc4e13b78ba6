from __future__ import annotations

import pytest

from kiln import diagnosis

NINJA = """\
[1/3] Building CXX object a.o
[2/3] Building CXX object b.o
FAILED: b.o
/usr/bin/c++ -o b.o -c /kiln/trees/x/b.cpp
/kiln/trees/x/b.cpp:3:10: fatal error: nothere.h: No such file or directory
    3 | #include "nothere.h"
      |          ^~~~~~~~~~~
compilation terminated.
[3/3] Building CXX object c.o
ninja: build stopped: subcommand failed.
""".splitlines()


def test_the_compilers_error_is_shown_and_not_ninjas_last_line() -> None:
    shown = diagnosis.cause(NINJA)
    assert "b.cpp:3:10: fatal error: nothere.h" in shown
    assert "build stopped" not in shown


def test_a_scripts_own_word_is_preferred_to_all_else() -> None:
    assert diagnosis.cause([*NINJA, "kiln-error: patch 0001-x.patch does not apply: hunk #2 of a.cpp"]) == (
        "  patch 0001-x.patch does not apply: hunk #2 of a.cpp"
    )


@pytest.mark.parametrize(
    "line",
    [
        "/usr/bin/ld: a.o: undefined reference to `f()'",
        "CMake Error at CMakeLists.txt:3 (find_package):",
        "ModuleNotFoundError: No module named 'numpy'",
        'kernel.cu(12): error: identifier "x" is undefined',
        "ERROR: /kiln/trees/x/BUILD:12:1: C++ compilation of rule '//x:y' failed (Exit 1)",
    ],
)
def test_errors_of_every_tool_are_found_among_other_lines(line: str) -> None:
    assert line in diagnosis.cause(["configuring", line, "more", "ninja: build stopped: subcommand failed."])


def test_without_a_known_error_the_last_lines_are_shown() -> None:
    assert diagnosis.cause(["one", "two"]) == "  one\n  two"
    assert diagnosis.cause([]) == "  it printed nothing"


def test_a_compiler_killed_for_memory_is_answered_with_fewer_jobs() -> None:
    lines = ["c++: fatal error: Killed signal terminated program cc1plus"]
    assert "fewer --jobs" in str(diagnosis.advice(lines))
    assert diagnosis.advice(NINJA) is None
