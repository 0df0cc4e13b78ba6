"""Writes the type stubs of the Python module, and the list of its names, from the tables of its binding.

OpenCV's own generator reads the headers once more. What it would write as C++ is written as Python's types here.
"""

import ast
import keyword
import re
import sys
import tempfile
from pathlib import Path

INTEGERS = {
    "int", "uint", "unsigned", "size_t", "uchar", "schar", "short", "ushort", "int64", "uint64", "int64_t", "void*",
    "ptrdiff_t", "unsigned int", "unsigned char", "uint32_t", "int32_t",
    "cvflann::flann_distance_t", "cvflann_flann_distance_t", "cvflann::flann_algorithm_t",
}  # fmt: skip
NUMBERS = {**dict.fromkeys(INTEGERS, "int"), "bool": "bool", "float": "float", "double": "float"}
TEXTS = {"String", "string", "std::string", "c_string", "char", "char*"}


def tuple_of(kind: str, count: int) -> str:
    return "_t.Tuple[{}]".format(", ".join([kind] * count))


# What the binding converts by hand: what it takes, and what it gives. A tuple of any length stands for one of the right
# length: a list is refused, but what `tuple(map(int, point))` gives is not.
INTS, FLOATS = "_t.Tuple[int, ...]", "_t.Tuple[float, ...]"
CONVERTED = {
    "Mat": ("_t.Optional[_Array]", "_Mat"),
    "Scalar": ("_t.Union[float, _t.Sequence[float], _Mat, None]", tuple_of("float", 4)),
    "Point": ("_t.Optional[{}]".format(INTS), tuple_of("int", 2)),
    "Size": ("_t.Optional[{}]".format(INTS), tuple_of("int", 2)),
    "Point2f": ("_t.Optional[{}]".format(FLOATS), tuple_of("float", 2)),
    "Point2d": ("_t.Optional[{}]".format(FLOATS), tuple_of("float", 2)),
    "Point3f": ("_t.Optional[{}]".format(FLOATS), tuple_of("float", 3)),
    "Point3d": ("_t.Optional[{}]".format(FLOATS), tuple_of("float", 3)),
    "Size2f": ("_t.Optional[{}]".format(FLOATS), tuple_of("float", 2)),
    "Rect": ("_t.Union[_t.Sequence[int], _Mat, None]", tuple_of("int", 4)),
    "Rect2d": ("_t.Optional[{}]".format(FLOATS), tuple_of("float", 4)),
    "Range": ("_t.Optional[_t.Sequence[int]]", tuple_of("int", 2)),
    "RotatedRect": (
        "_t.Tuple[_t.Sequence[float], _t.Sequence[float], float]",
        "_t.Tuple[{0}, {0}, float]".format(tuple_of("float", 2)),
    ),
    "TermCriteria": ("_t.Tuple[int, int, float]", "_t.Tuple[int, int, float]"),
    "pair_int_double": ("_t.Tuple[int, float]", "_t.Tuple[int, float]"),
    "IndexParams": ("_t.Optional[_t.Dict[str, _t.Any]]", "_t.Dict[str, _t.Any]"),
    "SearchParams": ("_t.Optional[_t.Dict[str, _t.Any]]", "_t.Dict[str, _t.Any]"),
    "LayerId": ("_t.Union[int, float, str, None]", "_t.Union[int, float, str]"),
    "DictValue": ("_t.Union[int, float, str, None]", "_t.Union[int, float, str]"),
    "LayerParams": ("_t.Dict[str, _t.Any]", "_t.Dict[str, _t.Any]"),
}
# The elements of vectors that are given as one array.
IN_ARRAYS = {"Point", "Size", "Point2f", "Point2d", "Point3f", "Point3d", "Rect", "Rect2d", "Range", "Scalar"}
SAME = {
    "DescriptorExtractor": "Feature2D",
    "FeatureDetector": "Feature2D",
    "MatShape": "vector_int",
    "Rect2i": "Rect",
    "Point2i": "Point",
    "Size2i": "Size",
    "CvTermCriteria": "TermCriteria",
    "CvSlice": "Range",
    "Pose3DPtr": "ppf_match_3d_Pose3D",
    "vector_Pose3DPtr": "vector_ppf_match_3d_Pose3D",
    "vector_std::pair<int, double>": "vector_pair_int_double",
}
VECTOR = re.compile(r"Vec(\d)([bwsifd])")
MATRIX = re.compile(r"Matx\d\d[fd]")

HEAD = """\
# The names of OpenCV {version}'s Python module with their types, generated from the headers of this build.
import typing as _t

"""
NAMES = """\
# The names of the compiled module for tools that can neither run it nor read stubs. Nothing imports this file.
"""
ROOT = """\
import numpy as _np

from . import cv2 as cv2
from . import data as data
{modules}
# An array, and what is taken as one: a number or a tuple of numbers, too.
_Mat = _np.ndarray[_t.Any, _np.dtype[_t.Any]]
_Array = _t.Union[_Mat, float, _t.Tuple[float, ...]]

__version__: str

class error(Exception):
    file: str
    func: str
    line: int
    code: int
    msg: str
    err: str

def redirectError(on_error: _t.Optional[_t.Callable[[int, str, str, str, int], _t.Any]]) -> None: ...
"""
# What the binding adds by hand where a module is there.
ADDED = {
    "highgui": """\
def createTrackbar(
    __trackbarName: str, __windowName: str, __value: int, __count: int, __onChange: _t.Callable[[int], _t.Any]
) -> None: ...
def createButton(
    buttonName: str, onChange: _t.Callable[..., _t.Any], userData: _t.Any = ..., buttonType: int = ...,
    initialButtonState: int = ...,
) -> None: ...
def setMouseCallback(
    window_name: str, on_mouse: _t.Callable[[int, int, int, int, _t.Any], _t.Any], param: _t.Any = ...
) -> None: ...
""",
    "dnn": """\
def dnn_registerLayer(type: str, class_: _t.Callable[..., _t.Any]) -> None: ...
def dnn_unregisterLayer(type: str) -> None: ...
""",
}


class Types:
    """Python's types for those of C++. `unknown` collects the ones that have no better name than Any."""

    def __init__(self, classes, enums):
        self._maps = {name for name, each in classes.items() if each.ismap}
        self._classes = set(classes) - self._maps
        self._enums = set(enums)
        self.unknown = set()

    def given(self, cpp: str, scope: str) -> str:
        """What an argument may be; `scope` is the namespace and class that the type is named in."""
        name = _plain(cpp)
        if name in NUMBERS:
            return "_t.Union[bool, int]" if name == "bool" else NUMBERS[name]
        if name in TEXTS:
            return "_t.Optional[str]"
        if name.startswith("vector_"):
            inner = name[len("vector_") :]
            return "_t.Union[_t.Sequence[{}], _Mat, None]".format(
                "_t.Union[_t.Sequence[float], _Mat]" if _is_flat(inner) else self.given(inner, scope)
            )
        if VECTOR.fullmatch(name) or MATRIX.fullmatch(name):
            return "_Array"
        if name in CONVERTED:
            return CONVERTED[name][0]
        found = self._named(name, scope)
        if found == "UMat":
            return "_t.Union[UMat, _Array, None]"
        if found in self._maps:
            return "_t.Mapping[str, float]"
        return found if found in ("int", "_t.Any") else "_t.Optional[{}]".format(found)

    def returned(self, cpp: str, scope: str) -> str:
        """What a result is."""
        name = _plain(cpp)
        if name in NUMBERS:
            return NUMBERS[name]
        if name in TEXTS:
            return "str"
        if name.startswith("vector_"):
            inner = name[len("vector_") :]
            numbers = _is_flat(inner) or inner in NUMBERS or inner == "Target"
            return "_Mat" if numbers else "_t.List[{}]".format(self.returned(inner, scope))
        vector = VECTOR.fullmatch(name)
        # The binding has tuples for these only; all others are matrices.
        if vector and vector[2] in "ifd" and vector[1] in "234":
            return tuple_of("int" if vector[2] == "i" else "float", int(vector[1]))
        if vector or MATRIX.fullmatch(name):
            return "_Mat"
        if name in CONVERTED:
            return CONVERTED[name][1]
        found = self._named(name, scope)
        return "_t.Dict[str, float]" if found in self._maps else found

    def _named(self, name: str, scope: str) -> str:
        """A class, `int` for an enum, or Any: what C++ finds from within the scope, else the first with that end."""
        wanted = re.sub(r"^cv_", "", name.replace("::", "_").replace(".", "_"))
        outer = scope.split("_")
        inside = ["_".join([*outer[:count], wanted]) for count in range(len(outer), -1, -1)]
        everywhere = [each for each in sorted(self._classes | self._enums) if each.endswith("_" + wanted)]
        for each in [*inside, *everywhere]:
            if each in self._classes or each in self._maps:
                return each
            if each in self._enums:
                return "int"
        self.unknown.add(name)
        return "_t.Any"


def _plain(cpp: str) -> str:
    """A type without what makes no difference in Python: references, pointers, smart pointers, `cv::`."""
    name = re.sub(r"\bconst\b|&|\bcv::", "", cpp).strip()
    name = re.sub(r"^std::vector<\s*(.*?)\s*>$", r"vector_\1", name)
    name = re.sub(r"^(vector_)?Ptr(?:<(.*)>|_(.*))$", lambda m: (m[1] or "") + (m[2] or m[3]), name)
    name = name if name in NUMBERS or name in TEXTS else name.rstrip("*").strip()
    last = name.rpartition("::")[2]
    name = last if last in CONVERTED or last in SAME else name
    return SAME.get(name, name).replace("vector_MatShape", "vector_vector_int")


def _is_flat(name: str) -> bool:
    return name in IN_ARRAYS or bool(VECTOR.fullmatch(name))


class Writer:
    """Declarations of functions and classes as text."""

    def __init__(self, generator):
        self._classes = generator.classes
        self.types = Types(generator.classes, generator.enums)

    def function(self, name: str, function, scope: str, owner: str = "", indent: str = "") -> str:
        """A function, or a method of a class; each of its forms once, in the order in which the binding tries them."""
        static = function.is_static and owner
        first = "self" if owner and not static else ""
        forms = dict.fromkeys(
            "def {}({}) -> {}: ...\n".format(name, ", ".join(filter(None, [first, *args])), result)
            for args, result in (self._form(variant, scope) for variant in function.variants)
        )
        marks = ["@_t.overload\n"] * (len(forms) > 1) + ["@staticmethod\n"] * bool(static)
        return "".join("".join(indent + line for line in [*marks, form]) for form in forms)

    def _form(self, variant, scope: str):
        required = len(variant.py_arglist) - variant.py_noptargs
        arguments = []
        for number, (name, index) in enumerate(variant.py_arglist):
            argument = variant.args[index]
            kind = self.types.given(argument.tp, scope)
            if argument.outputarg and argument.isbig() and not argument.tp.startswith("vector_"):
                # What is written to is an array itself.
                kind = "_t.Optional[{}]".format(self.types.returned(argument.tp, scope))
            name = name + "_" if keyword.iskeyword(name) else name
            arguments.append("{}: {}{}".format(name, kind, "" if number < required else " = ..."))
        if variant.isconstructor:
            return arguments, "None"
        results = [
            self.types.returned(variant.rettype if index < 0 else variant.args[index].tp, scope)
            for _, index in variant.py_outlist
        ]
        single = results[0] if results else "None"
        return arguments, "_t.Tuple[{}]".format(", ".join(results)) if len(results) > 1 else single

    def type(self, found) -> str:
        """A class with its properties, its constructor and its methods."""
        body = []
        for each in sorted(found.props, key=lambda prop: prop.name):
            # The table has a star as text.
            kind = self.types.returned(each.tp.replace("_ptr", "*"), found.name)
            form = "    @property\n    def {}(self) -> {}: ...\n" if each.readonly else "    {}: {}\n"
            body.append(form.format(each.name, kind))
        if found.constructor:
            body.append(self.function("__init__", found.constructor, found.name, found.name, "    "))
        for _, method in sorted(found.methods.items()):
            body.append(self.function(method.variants[0].wname, method, found.name, found.name, "    "))
        base = "({})".format(found.base) if found.base in self._classes else ""
        return "class {}{}:{}".format(found.name, base, "\n" + "".join(body) if body else " ...\n")

    def module(self, namespace, scope: str) -> str:
        """The functions and constants of a namespace."""
        functions = [each for _, each in sorted(namespace.funcs.items()) if not each.isconstructor]
        constants = sorted({each for name in namespace.consts for each in (name, _upper(name))})
        return "".join(
            [self.function(each.variants[0].wname, each, scope) for each in functions]
            + ["{}: int\n".format(each) for each in constants]
        )


def _upper(name: str) -> str:
    """The other name under which the binding has a constant."""
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).upper()


def stubs(generator, modules, version: str):
    """The text of each file by its path below the package, and the types of C++ that are Any in them.

    `modules` are the names of OpenCV's modules in this build.
    """
    writer = Writer(generator)
    spaces = {
        name[3:]: space for name, space in generator.namespaces.items() if re.fullmatch(r"cv(\..+)?", name)
    }
    root = spaces.pop("")
    for name in list(spaces):
        for count in range(1, name.count(".") + 1):
            spaces.setdefault(name.rsplit(".", count)[0], None)
    depths = ("CV_8U", "CV_8S", "CV_16U", "CV_16S", "CV_32S", "CV_32F", "CV_64F")
    types = sorted(depth + channels for depth in depths for channels in ("", "C1", "C2", "C3", "C4"))
    classes = sorted(
        (each for each in generator.classes.values() if not each.ismap), key=lambda each: each.name
    )
    text = ROOT.format(modules=_imports(spaces, ""))
    text += "".join(ADDED[module] for module in sorted(set(ADDED) & set(modules)))
    text += "".join("{}: int\n".format(name) for name in types)
    text += "".join(map(writer.type, classes)) + writer.module(root, "")
    found = {"__init__.pyi": text, "cv2.pyi": "from . import *\n"}
    known = {"_Mat", "_Array", *(each.name for each in classes)}
    for name, space in spaces.items():
        inner = _imports(spaces, name + ".")
        text = writer.module(space, name.replace(".", "_")) if space else ""
        used = ", ".join(sorted(known & set(re.findall(r"\w+", text))))
        head = "from cv2 import {}\n".format(used) if used else ""
        found[name.replace(".", "/") + ("/__init__.pyi" if inner else ".pyi")] = head + inner + "\n" + text
    found = {path: HEAD.format(version=version) + text for path, text in found.items()}
    names = sorted(set(public(found["__init__.pyi"])) - {"cv2", "data"})
    found["_names.py"] = NAMES + "from .cv2 import (\n{})\n".format("".join(map("    {},\n".format, names)))
    return {**found, "py.typed": ""}, writer.types.unknown


def public(text: str):
    """The public names that a stub declares."""
    for node in ast.parse(text).body:
        if isinstance(node, ast.ImportFrom):
            names = [each.asname for each in node.names]
        elif isinstance(node, ast.AnnAssign):
            names = [node.target.id]
        else:
            names = [getattr(node, "name", None)]
        yield from (name for name in names if name and not name.startswith("_"))


def _imports(spaces, above: str) -> str:
    inside = sorted(each[len(above) :] for each in spaces if each.startswith(above))
    return "".join("from . import {0} as {0}\n".format(each) for each in inside if "." not in each)


def main(tree: str, headers: str, target: str) -> None:
    sys.path.insert(0, tree + "/modules/python/src2")
    import gen2

    files = Path(headers).read_text(encoding="utf-8").split()
    generator = gen2.PythonWrapperGenerator()
    with tempfile.TemporaryDirectory() as unused:
        generator.gen(files, unused)
    modules = {found[1] for found in (re.search(r"/modules/(\w+)/", file) for file in files) if found}
    version = re.findall(
        r"define CV_VERSION_(?:MAJOR|MINOR|REVISION)\s+(\d+)",
        Path(tree, "modules/core/include/opencv2/core/version.hpp").read_text(encoding="utf-8"),
    )
    texts, unknown = stubs(generator, modules, ".".join(version))
    for name, text in texts.items():
        path = Path(target, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    print("stubs: {} files; Any for {}".format(len(texts), ", ".join(sorted(unknown)) or "nothing"))


if __name__ == "__main__":
    main(*sys.argv[1:])
