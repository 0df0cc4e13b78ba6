"""The type stubs of OpenCV's module, from tables of the kind that OpenCV's own generator makes."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace as Table

import pytest

from tests.support.repository import ROOT

spec = importlib.util.spec_from_file_location("opencv_stubs", ROOT / "docker" / "opencv" / "stubs.py")
assert spec and spec.loader
stubs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(stubs)


def variant(given: Iterable[tuple[str, str]], optional: int = 0, gives: str = "", out: str = "") -> Table:
    """A form of a function: its arguments with their types, how many are optional, its result and its outputs."""
    args = [
        Table(tp=tp, outputarg=name in out.split(), isbig=lambda tp=tp: tp in ("Mat", "UMat"), name=name)
        for tp, name in given
    ]
    named = [(each.name, number) for number, each in enumerate(args)]
    results = [("retval", -1)] if gives else []
    return Table(
        args=args,
        rettype=gives,
        wname="",
        isconstructor=False,
        py_arglist=named,
        py_noptargs=optional,
        py_outlist=[*results, *(each for each in named if each[0] in out.split())],
    )


def function(name: str, *variants: Table, static: bool = False) -> Table:
    for each in variants:
        each.wname = name
    return Table(is_static=static, isconstructor=False, variants=variants)


def class_(name: str, **more: object) -> Table:
    return Table(**{
        "name": name, "ismap": False, "props": [], "methods": {}, "constructor": None, "base": None, **more,
    })  # fmt: skip


def written(
    functions: dict[str, Table],
    classes: Iterable[Table] = (),
    enums: Iterable[str] = (),
    modules: Iterable[str] = (),
    **spaces: Table,
) -> tuple[dict[str, str], set[str]]:
    names = {
        "cv": Table(funcs=functions, consts={"RED": "cv::RED", "Line": "cv::Line"}),
        "cvflann": Table(funcs={}, consts={}),
        **{f"cv.{name.replace('_', '.')}": space for name, space in spaces.items()},
    }
    table = Table(classes={each.name: each for each in classes}, enums=set(enums), namespaces=names)
    found: tuple[dict[str, str], set[str]] = stubs.stubs(table, set(modules), "4.3.0")
    return found


ADD = function(
    "add",
    variant([("Mat", "src1"), ("Mat", "src2"), ("Mat", "dst")], 1, out="dst"),
    variant([("UMat", "src1"), ("UMat", "src2"), ("UMat", "dst")], 1, out="dst"),
)


def test_each_form_of_a_function_is_there_once_in_the_order_of_the_binding() -> None:
    texts, unknown = written({"add": ADD}, [class_("UMat")])
    found = [line for line in texts["__init__.pyi"].splitlines() if line.startswith("def add")]
    assert found == [
        "def add(src1: _t.Optional[_Array], src2: _t.Optional[_Array], dst: _t.Optional[_Mat] = ...) -> _Mat: ...",
        "def add(src1: _t.Union[UMat, _Array, None], src2: _t.Union[UMat, _Array, None], "
        "dst: _t.Optional[UMat] = ...) -> UMat: ...",
    ]
    assert texts["__init__.pyi"].count("@_t.overload") == 2 and not unknown
    twice = function("f", variant([("int", "a")]), variant([("int", "a")]))
    assert "overload" not in written({"f": twice})[0]["__init__.pyi"]


@pytest.mark.parametrize(
    ("cpp", "given", "returned"),
    [
        ("int", "int", "int"),
        ("bool", "_t.Union[bool, int]", "bool"),
        ("double", "float", "float"),
        ("c_string", "_t.Optional[str]", "str"),
        ("Point", "_t.Optional[_t.Tuple[int, ...]]", "_t.Tuple[int, int]"),
        ("cv::Mat", "_t.Optional[_Array]", "_Mat"),
        ("std::vector<Mat>", "_t.Union[_t.Sequence[_t.Optional[_Array]], _Mat, None]", "_t.List[_Mat]"),
        ("vector_Point", "_t.Union[_t.Sequence[_t.Union[_t.Sequence[float], _Mat]], _Mat, None]", "_Mat"),
        ("std::vector<float>", "_t.Union[_t.Sequence[float], _Mat, None]", "_Mat"),
        ("vector_vector_int", "_t.Union[_t.Sequence[_t.Union[_t.Sequence[int], _Mat, None]], _Mat, None]",
         "_t.List[_Mat]"),
        ("Vec2i", "_Array", "_t.Tuple[int, int]"),
        ("Vec6f", "_Array", "_Mat"),
        ("Ptr<Net>", "_t.Optional[dnn_Net]", "dnn_Net"),
        ("cv::Ptr<dnn::Net>", "_t.Optional[dnn_Net]", "dnn_Net"),
        ("vector_Ptr_Net", "_t.Union[_t.Sequence[_t.Optional[dnn_Net]], _Mat, None]", "_t.List[dnn_Net]"),
        ("Net::Mode", "int", "int"),
        ("Moments", "_t.Mapping[str, float]", "_t.Dict[str, float]"),
    ],
)  # fmt: skip
def test_types_of_cpp_are_what_the_binding_takes_and_gives(cpp: str, given: str, returned: str) -> None:
    classes = [class_("dnn_Net"), class_("Moments", ismap=True)]
    texts, unknown = written(
        {"f": function("f", variant([(cpp, "x")], gives=cpp))}, classes, ["dnn_Net_Mode"]
    )
    assert f"def f(x: {given}) -> {returned}: ...\n" in texts["__init__.pyi"]
    assert not unknown


def test_a_type_without_a_name_in_python_is_any_and_said() -> None:
    texts, unknown = written({"f": function("f", variant([("ivx::Context", "x")]))})
    assert "def f(x: _t.Any) -> None" in texts["__init__.pyi"]
    assert unknown == {"ivx::Context"}


def test_a_name_is_looked_up_from_within_outwards() -> None:
    classes = [class_("Params"), class_("Blob_Params"), class_("Blob", methods={})]
    classes[2].methods = {"set": function("set", variant([("Params", "lambda")]))}
    texts, _ = written({}, classes)
    assert "    def set(self, lambda_: _t.Optional[Blob_Params]) -> None: ...\n" in texts["__init__.pyi"]


def test_a_class_has_its_base_properties_constructor_and_static_methods() -> None:
    made = function("Tree", variant([("int", "depth")], 1))
    made.variants[0].isconstructor = True
    props = [Table(name="size", tp="Size", readonly=False), Table(name="root", tp="int", readonly=True)]
    load = function("load", variant([("String", "path")], gives="Ptr<Tree>"), static=True)
    tree = class_("Tree", base="Model", constructor=made, methods={"load": load}, props=props)
    text = written({}, [tree, class_("Model")])[0]["__init__.pyi"]
    assert "class Model: ...\n" in text
    assert (
        "class Tree(Model):\n"
        "    @property\n"
        "    def root(self) -> int: ...\n"
        "    size: _t.Tuple[int, int]\n"
        "    def __init__(self, depth: int = ...) -> None: ...\n"
        "    @staticmethod\n"
        "    def load(path: _t.Optional[str]) -> Tree: ...\n" in text
    )


def test_namespaces_are_modules_also_those_that_only_lead_to_others() -> None:
    inner = Table(funcs={"add": ADD}, consts={"On": "cv::utils::fs::On"})
    texts, _ = written({}, [class_("UMat")], utils_fs=inner)
    assert "from . import utils as utils\n" in texts["__init__.pyi"]
    assert "from . import fs as fs\n" in texts["utils/__init__.pyi"]
    assert "from cv2 import UMat, _Array, _Mat\n" in texts["utils/fs.pyi"]
    assert "ON: int\nOn: int\n" in texts["utils/fs.pyi"]
    assert not [path for path in texts if "flann" in path]


def test_what_the_binding_adds_by_hand_is_there_with_its_module_alone() -> None:
    assert "createTrackbar" in written({}, modules=["core", "highgui"])[0]["__init__.pyi"]
    assert "createTrackbar" not in written({}, modules=["core"])[0]["__init__.pyi"]


def test_every_file_is_read_by_mypy_and_names_what_the_stub_has(tmp_path: Path) -> None:
    space = Table(funcs={"add": ADD}, consts={})
    texts, _ = written({"add": ADD}, [class_("UMat")], modules=["highgui", "dnn"], utils_fs=space)
    (names,) = ast.parse(texts["_names.py"]).body
    assert isinstance(names, ast.ImportFrom)
    listed = {each.name for each in names.names}
    assert {"add", "UMat", "RED", "LINE", "Line", "utils", "error", "CV_8UC3", "createButton"} <= listed
    assert not listed & {"cv2", "data", "_Mat", "__version__"}
    numpy = (
        "from typing import Generic, TypeVar\n"
        "D = TypeVar('D')\nS = TypeVar('S')\n"
        "class dtype(Generic[D]): ...\n"
        "class ndarray(Generic[S, D]): ...\n"
    )
    for path, text in {**{f"cv2/{path}": text for path, text in texts.items()}, "numpy.pyi": numpy}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    (tmp_path / "cv2" / "data").mkdir()
    (tmp_path / "cv2" / "data" / "__init__.py").write_text("haarcascades = ''\n")
    (tmp_path / "use.py").write_text(
        "import cv2\nreveal_type(cv2.utils.fs.add(1, 2))\nreveal_type(cv2.add(cv2.UMat(), 2))\ncv2.ad(1)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir", tmp_path / "cache", "use.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    # The second form of `add` takes what the first one takes, too; a checker takes the first that fits.
    said = [line for line in done.stdout.splitlines() if line.startswith("use.py")]
    assert [line.partition(": ")[2] for line in said] == [
        'note: Revealed type is "numpy.ndarray[Any, numpy.dtype[Any]]"',
        'note: Revealed type is "cv2.UMat"',
        'error: Module has no attribute "ad"; maybe "add"?  [attr-defined]',
    ]
