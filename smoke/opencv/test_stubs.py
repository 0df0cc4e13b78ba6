"""The type stubs name what the module has, and nothing else."""

import ast
import keyword
import os
import re
import types

import cv2
import pytest

import known

FOLDER = os.path.dirname(cv2.__file__)
# What the binding has no signature in its documentation for, or another one than it takes.
BY_HAND = {"createTrackbar", "createButton", "setMouseCallback", "redirectError", "dnn_registerLayer"}


def modules():
    """Every module below cv2 by its name, with cv2 itself."""
    found, waiting = {}, [cv2]
    while waiting:
        module = waiting.pop()
        found[module.__name__] = module
        waiting += [
            each
            for name, each in vars(module).items()
            if isinstance(each, types.ModuleType)
            and each.__name__ == module.__name__ + "." + name
            and each.__name__ not in ("cv2.cv2", "cv2.data", "cv2._names")
        ]
    return found


def stub(module):
    known.asked_for("KILN_CPU_FEATURES")
    path = os.path.join(FOLDER, *module.split(".")[1:])
    path = next(each for each in (path + ".pyi", os.path.join(path, "__init__.pyi")) if os.path.exists(each))
    with open(path) as file:
        return ast.parse(file.read()).body


def declared(body):
    """The public names that a stub or a class in it declares, each with its nodes."""
    found = {}
    for node in body:
        if isinstance(node, ast.ImportFrom):
            names = [each.asname for each in node.names]
        elif isinstance(node, ast.AnnAssign):
            names = [node.target.id]
        else:
            names = [getattr(node, "name", None)]
        for name in names:
            if name and not name.startswith("_"):
                found.setdefault(name, []).append(node)
    return found


def public(names):
    return {name for name in names if name.isidentifier() and not name.startswith("_")}


def parameters(function):
    """The names of the parameters and how many of them are required; a keyword of Python is written `from_`."""
    names = [each.arg for each in function.args.args if each.arg != "self"]
    names = [name[:-1] if keyword.iskeyword(name[:-1]) and name[-1] == "_" else name for name in names]
    return tuple(names), len(names) - len(function.args.defaults)


def documented(text):
    """The forms in a docstring of the binding, as names of parameters and how many of them are required."""
    for line in (text or "").splitlines():
        found = re.match(r"\w+\((.*)\) -> ", line)
        if found:
            required = found[1].partition("[")[0] if not found[1].startswith("[") else ""
            yield (
                tuple(re.findall(r"\w+", found[1])),
                len(re.findall(r"\w+", required)),
            )


@pytest.mark.parametrize("module", sorted(modules()))
def test_a_module_and_its_stub_have_the_same_names(module):
    assert set(declared(stub(module))) == public(vars(modules()[module]))


@pytest.mark.parametrize("module", sorted(modules()))
def test_functions_have_the_parameters_of_their_documentation(module):
    checked = 0
    for name, nodes in declared(stub(module)).items():
        function = getattr(modules()[module], name)
        if name not in BY_HAND and isinstance(nodes[0], ast.FunctionDef):
            assert {parameters(node) for node in nodes} == set(documented(function.__doc__)), name
            checked += 1
    assert checked or not any(callable(each) for each in vars(modules()[module]).values())


def test_classes_have_the_members_and_bases_of_their_stubs():
    checked = 0
    for name, nodes in declared(stub("cv2")).items():
        if isinstance(nodes[0], ast.ClassDef) and name != "error":
            found = getattr(cv2, name)
            assert set(declared(nodes[0].body)) == public(vars(found)), name
            assert [each.id for each in nodes[0].bases] == [
                each.__name__.partition(".")[2].replace(".", "_") or each.__name__
                for each in found.__bases__
                if each is not object
            ], name
            checked += 1
    assert checked > 5


def test_constants_are_integers_and_errors_have_their_attributes():
    body = declared(stub("cv2"))
    assert isinstance(cv2.IMREAD_COLOR if "IMREAD_COLOR" in body else cv2.CV_8U, int)
    assert all(
        isinstance(getattr(cv2, name), int)
        for name, (node, *_) in body.items()
        if isinstance(node, ast.AnnAssign)
    )
    (error,) = body["error"]
    assert set(declared(error.body)) == public(vars(cv2.error))


def test_the_package_says_that_it_is_typed():
    known.asked_for("KILN_CPU_FEATURES")
    assert os.path.exists(os.path.join(FOLDER, "py.typed"))


def test_the_list_for_tools_has_the_names_of_the_compiled_module():
    known.asked_for("KILN_CPU_FEATURES")
    with open(os.path.join(FOLDER, "_names.py")) as file:
        (node,) = ast.parse(file.read()).body
    assert {each.name for each in node.names} == public(vars(cv2.cv2))
