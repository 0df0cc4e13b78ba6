from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kiln.build import diagnosis
from kiln.build.diagnosis import Cure
from kiln.core.errors import UsageError
from kiln.recipe import Catalogue
from tests.support.repository import ROOT

GENERAL = diagnosis.cures(ROOT, "a recipe without its own")
OPENCV = diagnosis.cures(ROOT, "opencv")
TENSORFLOW = diagnosis.cures(ROOT, "tensorflow")

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


def test_a_scripts_own_message_is_preferred_to_all_else() -> None:
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


# What Bazel 0.26 says of two actions, the second of which fails.
BAZEL = """\
[35 / 40] Compiling tensorflow/core/ops.cc; 6s local
INFO: From Compiling tensorflow/core/ops.cc:
tensorflow/core/ops.cc:7:2: warning: #warning "error: none" [-Wcpp]
ERROR: /kiln/build/tensorflow/tensorflow/core/BUILD:9:1: C++ compilation of rule '//tensorflow/core:platform' failed \
(Exit 1): gcc-9 failed: error executing command
  (cd /kiln/build/bazel/execroot/org_tensorflow && \\
  exec env - \\
    PATH=/kiln/build/bin:/usr/bin:/bin \\
  /usr/bin/gcc-9 -O2 -c tensorflow/core/platform.cc -o bazel-out/k8-opt/bin/tensorflow/core/platform.pic.o)
tensorflow/core/platform.cc:6:13: error: ambiguating new declaration of 'long int gettid()'
    6 | static long gettid(void) { return syscall(__NR_gettid); }
      |             ^~~~~~
In file included from /usr/include/unistd.h:1218,
                 from tensorflow/core/platform.cc:4:
/usr/include/x86_64-linux-gnu/bits/unistd_ext.h:34:16: note: old declaration '__pid_t gettid()'
tensorflow/core/platform.cc:6:13: error: 'long int gettid()' defined but not used
Target //tensorflow/tools/pip_package:build_pip_package failed to build
INFO: Elapsed time: 5.131s, Critical Path: 0.52s
INFO: 3 processes: 3 local.
FAILED: Build did NOT complete successfully
""".splitlines()

GENERATOR = """\
ERROR: /kiln/build/tensorflow/tensorflow/BUILD:600:1: Executing genrule //tensorflow:tf_python_api_gen_v1 failed \
(Exit 1): bash failed: error executing command
  (cd /kiln/build/bazel/execroot/org_tensorflow && \\
  exec env - \\
Traceback (most recent call last):
  File "/kiln/build/bazel/tensorflow/python/keras/preprocessing/__init__.py", line 21, in <module>
    import keras_preprocessing
ModuleNotFoundError: No module named 'keras_preprocessing'
Target //tensorflow/tools/pip_package:build_pip_package failed to build
ERROR: /kiln/build/tensorflow/tensorflow/tools/pip_package/BUILD:256:1 Executing genrule //tensorflow:x failed (Exit 1)
INFO: Elapsed time: 9131.131s, Critical Path: 0.52s
""".splitlines()

UNREACHABLE = """\
ERROR: An error occurred during the fetch of repository 'mixing':
   java.io.IOException: Error downloading [http://m.example/mixing-1.0.tar.gz] to /kiln/x.tar.gz: Unknown host: m.example
ERROR: /kiln/build/tensorflow/tensorflow/core/BUILD:18:1: //tensorflow/core:digest_op depends on @mixing//:mixing in \
repository @mixing which failed to fetch. no such package '@mixing//': java.io.IOException: Error downloading \
[http://m.example/mixing-1.0.tar.gz] to /kiln/x.tar.gz: Unknown host: m.example
""".splitlines()


# A stand-in that the tree's own patch does not fit, as Bazel's fetch tells of it.
UNPATCHED = """\
ERROR: An error occurred during the fetch of repository 'eigen_archive':
   Traceback (most recent call last):
	File "/kiln/build/tensorflow/third_party/repo.bzl", line 71, in _apply_patch
		_execute_and_check_ret_code(ctx, cmd)
Non-zero return code(1) when executing 'git apply -v /kiln/build/tensorflow/third_party/eigen3/some.patch':
Stderr: Checking patch Eigen/src/Core/arch/Default/BFloat16.h...
error: while searching for:
#if __cplusplus > 199711L
error: patch failed: Eigen/src/Core/arch/Default/BFloat16.h:660
error: Eigen/src/Core/arch/Default/BFloat16.h: patch does not apply
ERROR: Analysis of target '//x:y' failed; build aborted: no such package '@eigen_archive//': Traceback
""".splitlines()


def test_of_a_patch_that_does_not_fit_an_external_the_file_is_named() -> None:
    assert diagnosis.cause(UNPATCHED).startswith(
        "  error: patch failed: Eigen/src/Core/arch/Default/BFloat16.h:660"
    )


def test_of_a_failed_bazel_action_the_compilers_first_error_is_shown() -> None:
    shown = diagnosis.cause(BAZEL).splitlines()
    assert (
        shown[0]
        == "  tensorflow/core/platform.cc:6:13: error: ambiguating new declaration of 'long int gettid()'"
    )
    assert len(shown) == 4


def test_of_a_failed_generator_the_end_of_its_traceback_is_shown() -> None:
    assert diagnosis.cause(GENERATOR).startswith(
        "  ModuleNotFoundError: No module named 'keras_preprocessing'"
    )


def test_an_external_that_is_not_there_is_named() -> None:
    assert diagnosis.cause(UNREACHABLE).startswith(
        "  ERROR: An error occurred during the fetch of repository 'mixing':"
    )
    assert "Unknown host: m.example" in diagnosis.cause(UNREACHABLE)


# Errors of Bazel's that name no failed action: the line that says why comes first, the last ones count or repeat it.
MISSING_INPUT = """\
[5,108 / 5,110] Executing genrule //tensorflow:tf_python_api_gen_v1; 61s local
ERROR: missing input file '@eigen_archive//:COPYING.MPL2'
ERROR: /kiln/build/tensorflow/tensorflow/tools/pip_package/BUILD:216:1: \
//tensorflow/tools/pip_package:build_pip_package: missing input file '@eigen_archive//:COPYING.MPL2'
Target //tensorflow/tools/pip_package:build_pip_package failed to build
ERROR: /kiln/build/tensorflow/tensorflow/tools/pip_package/BUILD:216:1 1 input file(s) do not exist
INFO: Elapsed time: 9131.131s, Critical Path: 320.52s
INFO: 5108 processes: 5108 local.
FAILED: Build did NOT complete successfully
""".splitlines()

MISSING_OF_A_RULE = """\
ERROR: /kiln/build/tensorflow/tensorflow/tools/lib_package/BUILD:120:1: \
//tensorflow/tools/lib_package:clicenses_generate: missing input file '@nasm//:LICENSE'
Target //tensorflow/tools/lib_package:clicenses failed to build
ERROR: /kiln/build/tensorflow/tensorflow/tools/lib_package/BUILD:120:1 1 input file(s) do not exist
""".splitlines()

UNDECLARED = """\
ERROR: /kiln/build/tensorflow/tensorflow/core/kernels/BUILD:712:1: undeclared inclusion(s) in rule \
'//tensorflow/core/kernels:depthwise_conv_op':
this rule is missing dependency declarations for the following files included by \
'tensorflow/core/kernels/depthwise_conv_op.cc':
  '/usr/lib/gcc/x86_64-linux-gnu/9/include/stddef.h'
Target //tensorflow/tools/pip_package:build_pip_package failed to build
INFO: Elapsed time: 70.625s, Critical Path: 49.50s
""".splitlines()

NO_TARGET = """\
ERROR: /kiln/build/tensorflow/tensorflow/core/BUILD:1396:1: no such target '//tensorflow/tools/git:gen/head': target \
'gen/head' not declared in package 'tensorflow/tools/git' defined by /kiln/build/tensorflow/tensorflow/tools/git/BUILD \
and referenced by '//tensorflow/core:version_info_gen'
ERROR: Analysis of target '//tensorflow/tools/pip_package:build_pip_package' failed; build aborted: Analysis failed
INFO: Elapsed time: 21.977s
FAILED: Build did NOT complete successfully (0 packages loaded, 0 targets configured)
""".splitlines()

NO_CONFIG = """\
INFO: Options provided by the client:
  Inherited 'common' options: --isatty=0 --terminal_columns=80
ERROR: Config value v1 is not defined in any .rc file
""".splitlines()

# A compiler's wrapper that prints an error and ends with status 0.
NOT_CREATED = """\
[6 / 10] Compiling tensorflow/core/kernels/tile_ops_gpu.cu.cc; 6s local
INFO: From Compiling tensorflow/core/kernels/conv_2d_gpu_uint64.cu.cc:
external/com_google_protobuf/src/google/protobuf/map.h:502:24: error: cannot call member function without object
         return m_->TableEntryIsList(bucket_index_);
ERROR: /kiln/build/tensorflow/tensorflow/core/kernels/BUILD:305:1: output \
'tensorflow/core/kernels/_objs/conv_2d_gpu/conv_2d_gpu_uint64.cu.pic.o' was not created
ERROR: /kiln/build/tensorflow/tensorflow/core/kernels/BUILD:305:1: not all outputs were created or valid
INFO: 1554 processes: 1554 local.
FAILED: Build did NOT complete successfully
""".splitlines()

# Its program says what is wrong in words that no list knows.
WORDLESS = """\
ERROR: /kiln/build/tensorflow/tensorflow/BUILD:600:1: Executing genrule //tensorflow:version failed \
(Exit 3): bash failed: error executing command
  (cd /kiln/build/bazel/execroot/org_tensorflow && \\
  exec env - \\
    PATH=/kiln/build/bin:/usr/bin:/bin \\
  /bin/bash -c 'source external/bazel_tools/tools/genrule/genrule-setup.sh; ./version')
Execution platform: @bazel_tools//platforms:host_platform
the version cannot be determined
Target //tensorflow/tools/pip_package:build_pip_package failed to build
FAILED: Build did NOT complete successfully
""".splitlines()


@pytest.mark.parametrize(
    ("lines", "first"),
    [
        (MISSING_INPUT, "ERROR: missing input file '@eigen_archive//:COPYING.MPL2'"),
        (MISSING_OF_A_RULE, MISSING_OF_A_RULE[0]),
        (UNDECLARED, UNDECLARED[0]),
        (NO_TARGET, NO_TARGET[0]),
        (NO_CONFIG, NO_CONFIG[2]),
        (NOT_CREATED, NOT_CREATED[2]),
        (WORDLESS, WORDLESS[0]),
    ],
)
def test_of_several_errors_of_bazel_the_first_is_shown(lines: list[str], first: str) -> None:
    assert diagnosis.cause(lines).splitlines()[0] == f"  {first}"


def test_what_a_failed_action_printed_is_shown_and_not_its_command() -> None:
    shown = diagnosis.cause(WORDLESS)
    assert "the version cannot be determined" in shown
    assert "exec env" not in shown and "genrule-setup" not in shown


def test_errors_that_an_action_printed_which_went_well_are_not_the_cause() -> None:
    harmless = [
        "INFO: From Executing genrule //tensorflow:probe:",
        "ImportError: No module named 'optional'",
        "probe.c:1:1: error: unknown type name 'x'",
    ]
    assert diagnosis.cause([*harmless, *MISSING_INPUT]) == diagnosis.cause(MISSING_INPUT)
    assert diagnosis.cause([*harmless, *BAZEL]) == diagnosis.cause(BAZEL)


def test_of_two_actions_that_fail_the_first_is_shown() -> None:
    assert diagnosis.cause([*NINJA, *(line.replace("b.", "d.") for line in NINJA)]) == diagnosis.cause(NINJA)


@pytest.mark.parametrize(
    ("lines", "cure"),
    [
        (BAZEL, "0004-grpc-gettid"),
        (GENERATOR, "pin keras_applications and keras_preprocessing"),
        (UNREACHABLE, "add the external that the line names to the lock"),
        (MISSING_INPUT, "take the pinned archive, or a stand-in that has this file"),
        (UNPATCHED, "to which git can apply that patch"),
        (["c++: fatal error: Killed signal terminated program cc1plus"], "fewer --jobs"),
        (["/kiln/scripts/settings.sh: line 49:   31 Killed     bazel --batch"], "fewer --jobs"),
    ],
)
def test_a_known_failure_is_answered_with_its_cure(lines: list[str], cure: str) -> None:
    assert cure in str(diagnosis.advice(lines, TENSORFLOW))


def test_what_is_not_known_has_no_cure() -> None:
    assert diagnosis.advice(NINJA, TENSORFLOW) is None
    assert diagnosis.advice(BAZEL, GENERAL) is None


@pytest.mark.parametrize("table", [TENSORFLOW, OPENCV])
def test_every_cures_example_is_answered_with_that_very_cure(table: tuple[Cure, ...]) -> None:
    for known in table:
        assert diagnosis.advice(["all is well", known.example], table) == str(known)


REPORTS = yaml.safe_load((Path(__file__).parent / "reports.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report["seen"])
def test_the_error_of_a_public_report_is_answered_and_its_own_line_is_shown(report: dict[str, str]) -> None:
    log = ["[1/3] Building CXX object a.o", report["line"], "compilation terminated.", *["make: more"] * 20]
    known = [*OPENCV[: -len(GENERAL)], *TENSORFLOW]
    assert report["answer"] in str(diagnosis.advice(log, known))
    assert report["line"] in diagnosis.shown(log, known)


def test_the_line_that_the_advice_is_about_is_shown_beside_the_first_error() -> None:
    killed = "collect2: fatal error: ld terminated with signal 9 [Killed]"
    shown = diagnosis.shown([*NINJA, killed], GENERAL)
    assert killed in shown and "nothere.h: No such file" in shown


def test_every_known_failure_says_where_it_was_seen() -> None:
    for known in (*TENSORFLOW, *OPENCV):
        assert re.fullmatch(r"[\w.-]+/[\w.-]+#\d+|a build of our own", known.seen)


def test_a_cure_names_only_patches_and_options_that_there_are() -> None:
    text = " ".join(f"{known.cause} {known.cure}" for known in TENSORFLOW)
    patches = {path.stem for path in (ROOT / "patches/tensorflow").glob("*.patch")}
    assert set(re.findall(r"\b\d{4}-[\w-]+", text)) <= patches
    options = {option.name.replace("_", "-") for option in Catalogue(ROOT).describe("tensorflow").options}
    ours = {"jobs", "cpu-features", *options}
    bazels = {"linkopt", "host_linkopt"}
    assert set(re.findall(r"--([a-z][\w-]*)", text)) <= ours | bazels


@given(st.lists(st.text(max_size=80), max_size=30))
def test_any_output_is_diagnosed(lines: list[str]) -> None:
    assert diagnosis.cause(lines).strip()
    assert diagnosis.advice(lines, TENSORFLOW) in {None, *map(str, TENSORFLOW)}


def test_a_mistake_among_the_cures_is_reported_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / diagnosis.SHARED
    path.parent.mkdir(parents=True)
    path.write_text('cures:\n  - symptom: "("\n    example: x\n    cause: y\n    cure: z\n    seen: a/b#1\n')
    with pytest.raises(UsageError, match=r"cures.yaml:2: cures\[0\].symptom: .*regular expression"):
        diagnosis.cures(tmp_path, "toy")


def test_the_troubleshooting_page_shows_the_known_failures() -> None:
    page = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
    for known in (GENERAL, TENSORFLOW[: -len(GENERAL)], OPENCV[: -len(GENERAL)]):
        assert diagnosis.table(known) in page, f"put this table into it:\n{diagnosis.table(known)}"


def test_progress_of_bazel_between_a_command_and_its_output_does_not_hide_the_compilers_error() -> None:
    log = """\
ERROR: /kiln/build/tensorflow/tensorflow/core/BUILD:9:1: C++ compilation of rule '//core' failed (Exit 1): gcc-9 failed
  (cd /kiln/build/bazel/execroot/org_tensorflow && \\
  /usr/bin/gcc-9 -c tensorflow/core/platform.cc)
Execution platform: @bazel_tools//platforms:host_platform
[3 / 6] Compiling tensorflow/core/op.cc; 0s remote-cache, local
tensorflow/core/platform.cc:6:13: error: ambiguating new declaration of 'long int gettid()'
    6 | static long gettid(void) { return syscall(__NR_gettid); }
Target //tensorflow/tools/pip_package:build_pip_package failed to build
"""
    assert diagnosis.cause(log.splitlines()).startswith(
        "  tensorflow/core/platform.cc:6:13: error: ambiguating"
    )


@pytest.mark.parametrize("symptom", ["a{99999999999}", "(", "(?P<x>"])
def test_a_symptom_that_is_not_a_regular_expression_is_named_with_its_line(
    tmp_path: Path, symptom: str
) -> None:
    file = tmp_path / "recipes" / "toy" / "cures.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(f"cures:\n  - {{symptom: '{symptom}', example: e, cause: c, cure: c, seen: s}}\n")
    with pytest.raises(UsageError, match=r"cures.yaml:2: cures\[0\].symptom: not a regular expression"):
        diagnosis.cures(tmp_path, "toy")


PIP = """\
  error: subprocess-exited-with-error

  × Building wheel for horovod (setup.py) did not run successfully.
  │ exit code: 1
  ╰─> [983 lines of output]
      running bdist_wheel
      {error}
      gmake: *** [Makefile:136: all] Error 2
      Traceback (most recent call last):
        File "setup.py", line 91, in build_extensions
      subprocess.CalledProcessError: Command '['cmake', '--build', '.']' returned non-zero exit status 2.
      [end of output]

  note: This error originates from a subprocess, and is likely not a problem with pip.
  ERROR: Failed building wheel for horovod
ERROR: Failed to build one or more wheels
"""


def test_of_a_project_that_pip_builds_the_compilers_error_is_shown_without_pips_margin() -> None:
    error = "/usr/include/linux/ethtool.h:2147:17: error: flexible array member not at end of struct"
    shown = diagnosis.cause(PIP.format(error=error).splitlines())
    assert shown.splitlines()[0] == f"  {error}"


def test_of_a_setup_script_that_fails_by_itself_the_last_error_is_shown() -> None:
    shown = diagnosis.cause(PIP.format(error="-- Configuring incomplete").splitlines())
    assert shown.splitlines()[0].startswith("  subprocess.CalledProcessError: Command")
