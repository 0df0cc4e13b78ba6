"""Ops that are compiled apart from the wheel: one of the suite's own, and those of packages on PyPI.

What is compiled against the published wheels has the old C++ ABI. It loads where the wheel has that one, too. Each
package is used in a process of its own, because its library would stay in this one.
"""

import json
import os
import subprocess
import sys

import pytest
import tensorflow as tf

import known

EXTENSION = os.environ.get("KILN_EXTENSION", "")
# The published wheel's answers to these, seen with TensorFlow 1.15.5 of PyPI.
TEXT = """
import tensorflow_text as text
words = text.WhitespaceTokenizer().tokenize(["everything not saved", u"caf\\u00e9 br\\u00fbl\\u00e9e"])
scripts = text.UnicodeScriptTokenizer().tokenize([u"fox!\\u4eca\\u5929"])
say(
    words.flat_values,
    words.row_splits,
    scripts.flat_values,
    text.case_fold_utf8([u"STRA\\u00dfE"]),
    text.normalize_utf8([u"\\ufb01"], "NFKC"),
)
"""
TEXT_ANSWERS = [
    ["everything", "not", "saved", "caf\u00e9", "br\u00fbl\u00e9e"],
    [0, 3, 5],
    ["fox", "!", "\u4eca\u5929"],
    ["strasse"],
    ["fi"],
]
IO = """
from tensorflow_io.core.python.ops import core_ops
picture = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
found = core_ops.io_re2_full_match(["ab12", "zz"], "([a-z]+)([0-9]+)")
bitmap = core_ops.io_encode_bmp(picture)
say(found.output, found.groups, tf.reduce_all(tf.equal(tf.image.decode_bmp(bitmap), picture)))
"""
IO_ANSWERS = [[True, False], [["ab", "12"], ["", ""]], True]
PROGRAM = """
import json
import numpy as np
import tensorflow as tf
tf.compat.v1.logging.set_verbosity(tf.compat.v1.logging.ERROR)
def plain(value):
    return value.decode("utf-8") if isinstance(value, bytes) else value
def say(*tensors):
    with tf.compat.v1.Session() as session:
        answers = [np.vectorize(plain, otypes="O")(each).tolist() for each in session.run(list(tensors))]
    print("answers: " + json.dumps(answers))
"""


@pytest.mark.parametrize(
    "package, program, answers", [("text", TEXT, TEXT_ANSWERS), ("io", IO, IO_ANSWERS)], ids=["text", "io"]
)
def test_a_package_that_was_compiled_against_the_published_wheel(package, program, answers, record_property):
    name = "tensorflow-" + package
    try:
        version = known.metadata.version(name)
    except known.metadata.PackageNotFoundError:
        pytest.skip(name + " is not installed: it is for a wheel named tensorflow with the old C++ ABI")
    if tf.sysconfig.CXX11_ABI_FLAG and os.environ.get("KILN_OPT_CXX_ABI") != "old":
        pytest.skip("the wheel has the new C++ ABI, and {} has the old one".format(name))
    if package == "io" and os.environ.get("KILN_OPT_GCP") == "0":
        pytest.skip(
            "tensorflow-io takes Google Cloud Storage from the wheel, which was built without it (--no-gcp)"
        )
    record_property(name, version)
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM + program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert ended.returncode == 0, ended.stderr.decode(errors="replace")[-2000:]
    (line,) = [each for each in ended.stdout.decode().splitlines() if each.startswith("answers: ")]
    assert json.loads(line[len("answers: ") :]) == answers


def test_the_abi_is_the_one_asked_for():
    asked = known.asked_for("KILN_OPT_CXX_ABI")
    assert {"old": 0, "new": 1}[asked] == tf.sysconfig.CXX11_ABI_FLAG


def test_an_op_compiled_with_the_flags_that_the_wheel_says(run):
    library = os.path.join(EXTENSION, "extension.so")
    if not os.path.exists(library):
        pytest.skip("no op was compiled: KILN_EXTENSION has none, because no compiler was at hand")
    with open(os.path.join(EXTENSION, "abi")) as file:
        compiled = "-D_GLIBCXX_USE_CXX11_ABI=" + file.read()
    flags = [each for each in tf.sysconfig.get_compile_flags() if not each.startswith("-I")]
    assert flags == [compiled]
    own = tf.load_op_library(library)
    assert run(lambda names: own.kiln_greet(names, greeting="ahoy"), [b"a", b"bc"]).tolist() == [
        b"ahoy, a",
        b"ahoy, bc",
    ]
    with pytest.raises(tf.errors.InvalidArgumentError, match="name 1 is empty: nobody to say hello to"):
        run(own.kiln_greet, [b"a", b""])
