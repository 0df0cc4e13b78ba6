"""OpenCV was configured and compiled as it was asked for."""

import os
import re

import cv2
import numpy as np
import pytest

import build_info
import known
from reference import assert_equal, noise

# What each name of --cpu-features is called in the build information.
NAMES = {
    "sse3": "SSE3",
    "ssse3": "SSSE3",
    "sse4.1": "SSE4_1",
    "popcnt": "POPCNT",
    "sse4.2": "SSE4_2",
    "avx": "AVX",
    "f16c": "FP16",
    "avx2": "AVX2",
    "fma": "FMA3",
    "avx512f": "AVX_512F",
}
# No processor has the feature on the left without those on the right, and OpenCV switches them on with it.
IMPLIED = {
    "SSE2": {"SSE"},
    "SSE3": {"SSE2"},
    "SSSE3": {"SSE3"},
    "SSE4_1": {"SSSE3"},
    "POPCNT": {"SSE4_1"},
    "SSE4_2": {"POPCNT"},
    "AVX": {"SSE4_2"},
    "FP16": {"AVX"},
    "FMA3": {"AVX2"},
    "AVX2": {"AVX", "FP16", "FMA3"},
    "AVX_512F": {"AVX2"},
}


def with_implied(features):
    known = set()
    pending = set(features)
    while pending:
        feature = pending.pop()
        known.add(feature)
        pending |= IMPLIED.get(feature, set()) - known
    return known


def test_version_of_the_code_is_that_of_the_wheel():
    # A wheel from elsewhere may count its own packaging as a fourth number, or add a local part such as +avx2.
    version = ".".join(known.distribution().version.partition("+")[0].split(".")[:3])
    assert cv2.__version__ == version
    assert build_info.lines()[1:3][0][0].startswith("General configuration for OpenCV " + version)


def test_baseline_is_exactly_the_cpu_features_asked_for():
    asked = known.asked_for("KILN_CPU_FEATURES")
    features = {"SSE2"} if asked == "baseline" else {NAMES[name] for name in asked.split(",")} | {"SSE2"}
    # More than was asked for would crash on a processor that lacks it, less would be slow.
    assert set(build_info.value("Baseline").split()) == with_implied(features)


def test_faster_code_is_chosen_at_run_time_up_to_avx512():
    known.asked_for("KILN_CPU_FEATURES")
    baseline = set(build_info.value("Baseline").split())
    dispatched = set(build_info.value("Dispatched code generation").split())
    assert dispatched | baseline >= {"SSE4_1", "SSE4_2", "AVX", "FP16", "AVX2", "AVX512_SKX"}


def test_machine_code_has_the_instructions_asked_for(record_property):
    asked = known.asked_features()
    (library,) = (
        each
        for name, each in known.facts()["libraries"].items()
        if re.match(r"cv2/(python-[\d.]+/)?cv2\.", name)
    )
    counts = known.instruction_counts(library)
    for kind, count in counts.items():
        record_property("cv2: instructions " + kind, count)
    # Code for newer processors, which is chosen at run time, and IPP's have them too: too many prove nothing here.
    for feature, kind in {"avx": "ymm", "avx2": "avx2", "fma": "fma", "avx512f": "zmm"}.items():
        assert counts[kind] > 1000 or feature not in asked, (feature, counts)


def test_compiled_code_names_the_same_baseline_as_the_build_information():
    # The line comes from tables in the compiled code: a name without a star is baseline, one with a star dispatched.
    plain = {name for name in cv2.getCPUFeaturesLine().replace("?", "").split() if not name.startswith("*")}
    spelled = {name.replace("_", "").replace(".", "").replace("-", "") for name in plain}
    stated = {name.replace("_", "") for name in build_info.value("Baseline").split()}
    assert spelled == stated


def test_this_processor_has_the_whole_baseline():
    assert "?" not in cv2.getCPUFeaturesLine().split("*")[0]


def test_optimised_code_is_on_and_can_be_switched_off():
    assert cv2.useOptimized()
    cv2.setUseOptimized(False)
    try:
        assert not cv2.useOptimized()
    finally:
        cv2.setUseOptimized(True)


def test_ipp_is_linked_when_asked_for():
    if build_info.option("IPP") is not True:
        pytest.skip("IPP was not asked for")
    assert build_info.value("Intel IPP") is not None
    assert build_info.value("Intel IPP IW") is not None
    assert cv2.ipp.useIPP()
    assert cv2.ipp.getIppVersion().startswith("ippIP")


def test_ipp_is_absent_when_declined():
    if build_info.option("IPP") is not False:
        pytest.skip("IPP was not declined")
    assert build_info.value("Intel IPP") is None
    assert not cv2.ipp.useIPP()


def test_build_is_a_release_build():
    assert build_info.value("Configuration") == "Release"


@pytest.mark.parametrize("module", build_info.MODULES)
def test_every_promised_module_is_built(module):
    if module not in build_info.wanted_modules():
        pytest.skip("this build was asked to leave out " + module)
    assert module in build_info.built_modules()


def test_modules_declined_are_not_built():
    if os.environ.get("KILN_OPT_MODULES") != "headless":
        pytest.skip("only the choice 'headless' declines a module by name")
    assert "highgui" not in build_info.built_modules()


def test_parallel_loops_run_on_the_framework_asked_for():
    framework = known.asked_for("KILN_OPT_THREADS")
    assert build_info.value("Parallel framework").lower().startswith(framework)


def test_number_of_threads_can_be_set():
    before = cv2.getNumThreads()
    assert before >= 1
    try:
        cv2.setNumThreads(1)
        assert cv2.getNumThreads() == 1
    finally:
        cv2.setNumThreads(before)
    assert cv2.getNumThreads() == before


def test_threads_do_not_change_a_result():
    picture = noise((720, 640, 3))
    table = np.arange(256)[::-1].astype(np.uint8)
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(4)
        parallel = cv2.LUT(picture, table)
        cv2.setNumThreads(1)
        assert_equal(cv2.LUT(picture, table), parallel)
    finally:
        cv2.setNumThreads(before)
    assert_equal(parallel, 255 - picture)


def test_wheel_requires_a_numpy_that_is_installed():
    wanted = [each for each in known.distribution().requires or [] if each.startswith("numpy")]
    assert wanted
    # The C interface of numpy is compatible forwards: the one at hand may be newer than the one compiled against.
    compiled_against = build_info.value("numpy").rpartition("ver ")[2].rstrip(")")
    assert release(np.__version__) >= release(compiled_against)


def release(version):
    return tuple(int(part) for part in version.split(".")[:2])


def test_errors_are_python_exceptions_that_name_the_function():
    with pytest.raises(cv2.error) as caught:
        cv2.add(np.zeros((2, 2)), np.zeros((3, 3)))
    assert caught.value.code == cv2.Error.StsUnmatchedSizes
    assert "arithm" in caught.value.file
