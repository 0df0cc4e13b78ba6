from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from kiln.cli import recipe_tasks
from kiln.core.errors import UsageError
from kiln.plan import planner
from kiln.plan.planner import Request
from kiln.recipe import Catalogue, cuda
from tests.support import bases, repository
from tests.support.repository import RECIPE, ROOT

VERSIONS = sorted(path.parent.name for path in (ROOT / "recipes" / "cuda").glob("*/toolkit.yaml"))
KIT = cuda.Toolkit("11.8", "11.8.89", 11, ("7.0", "7.5", "8.6", "9.0"), ("7.5", "9.0"), "450.80", "520.61")
TOOLKIT = """\
version: "11.8"
release: 11.8.89
newest_gcc: 11
capabilities: ["7.0", "7.5", "8.6", "9.0"]
defaults: ["7.5", "9.0"]
driver: "450.80"
driver_ptx: "520.61"
"""
WITH_CUDA = (
    RECIPE.replace("device: [cpu]", "device: [cpu, cuda-11.8]")
    .replace(
        "sources:\n",
        "  - {name: cuda_arch, type: str, default: '', help: 'for what', when: {device: cuda-11.8}}\nsources:\n"
        f"  - {{name: nvcc, when: {{device: cuda-11.8}}, origins: [{{debian: pool/n/nvcc.deb, sha256: {'c' * 64}}}]}}\n",
        1,
    )
    .replace("steps:\n", "steps:\n  - {name: cuda, run: cuda/toolkit.sh, when: {device: cuda-11.8}}\n")
)
FILES = {"recipes/cuda/11.8/toolkit.yaml": TOOLKIT, "docker/cuda/toolkit.sh": "true\n"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return repository.make(tmp_path, WITH_CUDA, **FILES)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_toolkit_is_described_whole(version: str) -> None:
    kit = cuda.toolkit(ROOT, f"cuda-{version}")
    assert kit is not None and kit.version == version
    assert kit.release.startswith(version)
    assert list(kit.capabilities) == sorted(kit.capabilities, key=Version)
    assert set(kit.defaults) <= set(kit.capabilities)
    assert Version(kit.driver) <= Version(kit.driver_ptx)


def test_the_processor_has_no_toolkit_and_an_unknown_one_is_refused_with_those_there_are(root: Path) -> None:
    assert cuda.toolkit(root, "cpu") is None
    with pytest.raises(UsageError, match=r"describe CUDA 99\.9 there, or choose one of 11\.8"):
        cuda.toolkit(root, "cuda-99.9")


@pytest.mark.parametrize(
    ("newest", "offered", "chosen"),
    [
        (11, (9, 10, 11, 12), "g++-11"),
        (10, (9, 10, 11, 12), "g++-10"),
        (8, (7, 8), "g++-8"),
        (7, (7, 8), "g++-7"),
    ],
)
def test_the_host_compiler_is_the_newest_that_nvcc_takes(
    newest: int, offered: tuple[int, ...], chosen: str
) -> None:
    kit = cuda.Toolkit("1.0", "1.0.1", newest, ("7.5",), ("7.5",), "1", "1")
    assert cuda.host_compiler(kit, "base", offered) == chosen


def test_a_base_whose_compilers_are_all_too_new_is_refused_before_anything_is_fetched(tmp_path: Path) -> None:
    files = {**FILES, "recipes/cuda/11.8/toolkit.yaml": TOOLKIT.replace("newest_gcc: 11", "newest_gcc: 7")}
    with pytest.raises(UsageError) as caught:
        planner.make(Catalogue(repository.make(tmp_path, WITH_CUDA, **files)), Request("toy", device="cuda"))
    assert str(caught.value) == (
        "CUDA 11.8 compiles with gcc 7 at most, and the base bookworm offers gcc 9 to 12: "
        "choose a newer CUDA, or a base with an older compiler"
    )


@given(st.lists(st.sampled_from(KIT.capabilities), min_size=1), st.sampled_from([",", ";", " ", ", "]))
def test_a_list_of_capabilities_is_one_whatever_its_order_and_its_ptx_is_of_the_newest(
    asked: list[str], separator: str
) -> None:
    found = cuda.architectures(KIT, separator.join(asked))
    assert found == cuda.architectures(KIT, ",".join(sorted(set(asked), reverse=True)))
    assert set(found.native) == set(asked)
    assert found.ptx == max(asked, key=Version)
    assert cuda.architectures(KIT, found.text) == found


def test_the_toolkits_own_choice_has_no_name() -> None:
    assert cuda.architectures(KIT, "9.0 7.5").text == cuda.architectures(KIT, "").text == ""


def test_what_the_toolkit_does_not_compile_for_is_refused() -> None:
    with pytest.raises(UsageError, match=r"capability 3\.0, 86: choose of 7\.0, 7\.5, 8\.6, 9\.0"):
        cuda.architectures(KIT, "7.5,3.0,86")


def test_a_plan_for_cuda_has_its_sources_step_compiler_and_environment(root: Path) -> None:
    made = planner.make(Catalogue(root), Request("toy", device="cuda", options={"cuda_arch": "8.6,7.0"}))
    assert made.variant.device == "cuda-11.8"
    assert [source.name for source in made.sources] == ["nvcc", "toy"]
    assert [step.name for step in made.steps if step.station == "compile"] == ["python", "cuda", "compile"]
    assert made.toolchain.image.name == "opencv+gxx-11"
    assert made.environment["KILN_CUDA_ARCH"] == "7.0 8.6"
    assert made.environment["KILN_CUDA_PTX"] == "8.6"
    assert made.environment["KILN_HOST_COMPILER"] == "g++-11"
    assert made.variant_name.endswith("+cuda_arch-7.0_8.6")


def test_a_plan_for_the_processor_knows_nothing_of_cuda(root: Path) -> None:
    made = planner.make(Catalogue(root), Request("toy"))
    assert "cuda" not in json.dumps(made.inputs["steps"]).lower()
    assert not [name for name in made.environment if "CUDA" in name]
    assert "compiler" not in made.toolchain.identity
    with pytest.raises(UsageError, match="no option 'cuda_arch' for the device cpu: it has fast, parts"):
        planner.make(Catalogue(root), Request("toy", options={"cuda_arch": "7.5"}))


def test_the_capabilities_are_part_of_the_key(root: Path) -> None:
    keys = {
        planner.make(Catalogue(root), Request("toy", device="cuda", options={"cuda_arch": text})).key
        for text in ("", "7.5,9.0", "7.5", "9.0")
    }
    assert len(keys) == 3


def test_a_device_that_the_default_release_lacks_is_built_of_the_newest_release_that_has_it(
    root: Path,
) -> None:
    table = 'default: "1.0"\nreleases: {"1.2": {}, "1.0": {variants: {device: [cpu]}}, "1.1": {}}\n'
    text = WITH_CUDA.replace('releases: {"1.0": {}}\n', table)
    (root / "recipes/toy/recipe.yaml").write_text(text, encoding="utf-8")
    assert planner.make(Catalogue(root), Request("toy")).recipe.version == "1.0"
    assert planner.make(Catalogue(root), Request("toy", device="cuda-11.8")).recipe.version == "1.2"
    assert (
        planner.make(Catalogue(root), Request("toy", device="cuda-11.8", release="1.1")).recipe.version
        == "1.1"
    )
    assert planner.make(Catalogue(root), Request("toy", device="cuda")).recipe.version == "1.2"
    says = r"not built for device 'cuda-10\.0': choose one of cpu, cuda-11\.8 \(toy 1\.2\)"
    with pytest.raises(UsageError, match=says):
        planner.make(Catalogue(root), Request("toy", device="cuda-10.0"))


def test_a_python_that_only_another_release_has_is_named_with_it_and_taken_for_its_device(root: Path) -> None:
    defaults = '{device: cuda-11.8, base: bookworm, python: "3.11", cpu_features: sse4.2}'
    later = f'{{variants: {{device: [cuda-11.8], python: ["3.11", "3.12"], defaults: {defaults}}}}}'
    table = f'default: "1.0"\nreleases: {{"1.2": {later}, "1.0": {{}}}}\n'
    text = WITH_CUDA.replace('releases: {"1.0": {}}\n', table)
    (root / "recipes/toy/recipe.yaml").write_text(text, encoding="utf-8")
    says = (
        r"not built for python '3\.12': choose one of 3\.7, 3\.11, 3\.12 \(toy 1\.2, for cuda-11\.8 alone\)$"
    )
    with pytest.raises(UsageError, match=says):
        planner.make(Catalogue(root), Request("toy", python="3.12"))
    with pytest.raises(UsageError, match=r"choose one of 3\.7, 3\.11$"):
        planner.make(Catalogue(root), Request("toy", release="1.0", python="3.12"))
    # The release is the one with both; an interpreter for it is not there.
    with pytest.raises(UsageError, match=r"no source of CPython 3\.12"):
        planner.make(Catalogue(root), Request("toy", device="cuda", python="3.12"))
    assert planner.make(Catalogue(root), Request("toy", device="cuda")).recipe.version == "1.0"


def test_nvcc_calls_the_compiler_that_the_recipe_lets_be_chosen(tmp_path: Path) -> None:
    text = WITH_CUDA.replace(
        "sources:\n", "  - {name: compiler, type: str, default: gcc-9, help: which}\nsources:\n", 1
    )
    root = repository.make(tmp_path, text, **FILES)
    made = planner.make(Catalogue(root), Request("toy", device="cuda"))
    assert made.environment["KILN_HOST_COMPILER"] == "g++-9"
    assert made.toolchain.image.name == "opencv+gxx-9"
    for asked in ("gcc-12", "clang", "gcc-"):
        with pytest.raises(UsageError, match=f"gcc 11 at most, and --compiler is {asked}"):
            planner.make(Catalogue(root), Request("toy", device="cuda", options={"compiler": asked}))


def test_a_recipe_without_cuda_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not built for device 'cuda': choose one of cpu"):
        planner.make(Catalogue(repository.make(tmp_path)), Request("toy", device="cuda"))


@pytest.mark.parametrize(
    ("device", "version", "wanted"),
    [("", "", ""), ("cpu", "", "cpu"), ("", True, "cuda"), ("", "11.8", "cuda-11.8"),
     ("cuda-11.8", "11.8", "cuda-11.8"), ("cuda-11.8", True, "cuda-11.8")],
)  # fmt: skip
def test_the_short_option_comes_to_a_device(device: str, version: str | bool, wanted: str) -> None:
    assert recipe_tasks.device(device, version) == wanted


@pytest.mark.parametrize(("device", "version"), [("cpu", True), ("cpu", "11.8"), ("cuda-10.0", "11.8")])
def test_two_devices_are_refused(device: str, version: str | bool) -> None:
    with pytest.raises(UsageError, match="contradict each other"):
        recipe_tasks.device(device, version)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_toolkit_has_sources_for_a_plan_on_a_base_that_fits(version: str, tmp_path: Path) -> None:
    folder = ROOT / "recipes" / "cuda" / version
    text = WITH_CUDA.replace("cuda-11.8", f"cuda-{version}").replace(
        "source_date", "include: [cuda/base.yaml]\nsource_date"
    )
    text = text.replace(
        "options:\n", "options:\n  - {name: cuda_libs, type: str, default: system, help: where}\n"
    )
    files = {
        "recipes/cuda/base.yaml": (folder / "base.yaml").read_text(encoding="utf-8"),
        f"recipes/cuda/{version}/toolkit.yaml": (folder / "toolkit.yaml").read_text(encoding="utf-8"),
        repository.BASE: bases.BASE.replace("[9, 10, 11, 12]", "[7]"),
        "docker/cuda/toolkit.sh": "true\n",
    }
    made = planner.make(Catalogue(repository.make(tmp_path, text, **files)), Request("toy", device="cuda"))
    assert "nvidia-cuda-toolkit" in {source.name for source in made.sources}
    assert made.toolchain.image.name == "opencv+gxx-7"
    assert "g++-7" in {package.name for package in made.toolchain.image.packages}


def test_tensorflow_for_cuda_10_is_compiled_with_the_gcc_that_is_compiled_before() -> None:
    made = planner.make(Catalogue(ROOT), Request("tensorflow", device="cuda"))
    assert (made.recipe.version, made.variant.device) == ("1.15.5", "cuda-10.0")
    assert [step.name for step in made.steps][:5] == ["python", "patch", "glibc", "gcc", "cuda"]
    assert made.environment["KILN_HOST_COMPILER"] == "g++-7"
    assert {"gcc", "nvidia-cuda-toolkit", "nvidia-cudnn", "nccl_archive"} <= {
        each.name for each in made.sources
    }
    assert made.environment["KILN_LOCAL_VERSION"] == "cu100"
    assert made.variant_name == "cp37-cuda-10.0-bookworm-sse4.2_avx_avx2_fma"


def test_tensorflow_for_cuda_10_refuses_a_newer_compiler() -> None:
    with pytest.raises(UsageError, match=r"--compiler of .* cannot be 'gcc-9': choose gcc-7"):
        planner.make(
            Catalogue(ROOT), Request("tensorflow", device="cuda-10.0", options={"compiler": "gcc-9"})
        )


def test_a_gpu_too_new_for_the_toolkit_is_answered_with_the_toolkit_that_knows_it() -> None:
    with pytest.raises(
        UsageError, match=r"for the compute capability 8\.6: .*; or give --cuda=11\.8, which has all"
    ):
        planner.make(Catalogue(ROOT), Request("tensorflow", device="cuda", options={"cuda_arch": "7.5,8.6"}))
    with pytest.raises(UsageError, match=r"capability 99\.0: choose of [0-9., ]+$"):
        planner.make(Catalogue(ROOT), Request("tensorflow", device="cuda", options={"cuda_arch": "99.0"}))


def test_a_compiler_that_the_base_does_not_have_is_compiled_from_its_pinned_source() -> None:
    made = planner.make(Catalogue(ROOT), Request("tensorflow", options={"compiler": "gcc-9"}))
    (gcc,) = (source for source in made.sources if source.name == "gcc")
    assert gcc.file == "gcc-9.5.0.tar.xz"
    assert "gcc" in {step.name for step in made.steps}
    assert made.toolchain.image.name == "tensorflow", "the same image as without it"
    with pytest.raises(UsageError, match="cannot be 'gcc-10': choose gcc-12 or gcc-9"):
        planner.make(Catalogue(ROOT), Request("tensorflow", options={"compiler": "gcc-10"}))


def test_tensorflow_for_the_processor_needs_no_file_of_cudas() -> None:
    made = planner.make(Catalogue(ROOT), Request("tensorflow"))
    assert made.options["compiler"] == "gcc-12"
    assert not {"gcc", "nvidia-cuda-toolkit", "nvidia-cudnn"} & {each.name for each in made.sources}


def test_another_version_of_cuda_is_another_release_of_tensorflow() -> None:
    assert (
        planner.make(Catalogue(ROOT), Request("tensorflow", device="cuda-11.8")).recipe.version
        == "1.15.5+nv22.12"
    )


@pytest.mark.parametrize("name", Catalogue(ROOT).names())
def test_every_device_that_a_recipe_lists_has_a_toolkit_and_a_plan(name: str) -> None:
    for version in Catalogue(ROOT).releases(name):
        described = Catalogue(ROOT).describe(name, version)
        for device in described.variants.device:
            asked = Request(name, release=version, device=device, python="3.11")
            if "3.11" in described.variants.python:
                assert planner.make(Catalogue(ROOT), asked).variant.device == device
            cuda.toolkit(ROOT, device)
