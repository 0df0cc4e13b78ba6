"""Converts the library's models to ONNX, runs them, and tells what came of each as a line of JSON.

python convert.py versions
python convert.py run 7,8,9 ["threshold,pyramid"] [FOLDER]

Runs on TensorFlow 1.15 in graph mode. A line of `run` is about one model in one format: {"model", "format"} with the
opset for ONNX, the file when a FOLDER is given, and either "error", the largest difference to Keras's own answers over
all outputs and batches, and "scale", the largest number in these, or "reason", why there is no answer.
"""

import json
import logging
import os
import re
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
for variable in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    os.environ.setdefault(variable, "1")

# What the libraries print goes to stderr: stdout is for the answers.
ANSWERS = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import numpy as np  # noqa: E402
import onnx  # noqa: E402
import onnxruntime  # noqa: E402
import tensorflow as tf  # noqa: E402
import tf2onnx  # noqa: E402

tf1 = tf.compat.v1


def answer(**fields):
    ANSWERS.write(json.dumps(fields) + "\n")
    ANSWERS.flush()


def versions():
    modules = {"tensorflow": tf, "tf2onnx": tf2onnx, "onnx": onnx, "onnxruntime": onnxruntime, "numpy": np}
    answer(**{name: module.__version__ for name, module in modules.items()})


class _Kept(logging.Handler):
    """The converter logs what it cannot do, and goes on."""

    def __init__(self):
        super().__init__(logging.ERROR)
        self.messages = []

    def emit(self, record):
        self.messages.append(record.getMessage())


def _reason(error, messages):
    """Why there is no answer, in one line: the operation that is missing, else what the exception says."""
    text = "\n".join([*messages, str(error)])
    missing = re.search(r"Tensorflow op \[[^\]]*: (\w+)\] is not supported|No Op registered for (\w+) with", text)
    if missing:
        return "lacks {}".format(missing.group(1) or missing.group(2))
    needed = re.search(r"[Oo]pset (\d+) (?:is )?(?:required|needed)[^\n]*", text)
    if needed:
        return needed.group(0)
    crash = re.search(r"Fatal Python error: [^\n]*|Check failed: [^\n]*", text)
    if crash:
        return "{}: {}".format(type(error).__name__, crash.group(0))[:200]
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return "{}: {}".format(type(error).__name__, lines[0] if lines else "no message")[:200]


def _difference(found, expected):
    """The largest absolute difference; infinite where shape or kind differ, or a number is not finite."""
    if len(found) != len(expected):
        return float("inf")
    worst = 0.0
    for one, other in zip(found, expected):
        if one.shape != other.shape or one.dtype != other.dtype:
            return float("inf")
        difference = float(np.max(np.abs(one - other)))
        worst = max(worst, difference if np.isfinite(difference) else float("inf"))
    return worst


class Subject:
    """A model with its batches and Keras's answers to them."""

    def __init__(self, name, model, batches, session):
        self.name, self.model, self.batches, self.session = name, model, batches, session
        answers = [model.predict(batch, verbose=0) for batch in batches]
        self.expected = [each if isinstance(each, list) else [each] for each in answers]
        self.scale = max(float(np.abs(array).max()) for arrays in self.expected for array in arrays)

    def tell(self, make, **fields):
        """`make` returns the answers to the batches (fewer, if it takes but one size), or None: nothing to run."""
        kept = _Kept()
        logging.getLogger("tf2onnx").addHandler(kept)
        try:
            found = make()
        except Exception as error:  # whatever a converter raises is an answer
            answer(model=self.name, reason=_reason(error, kept.messages), **fields)
            return
        finally:
            logging.getLogger("tf2onnx").removeHandler(kept)
        if found is None:
            answer(model=self.name, **fields)
            return
        error = max(_difference(one, other) for one, other in zip(found, self.expected))
        answer(model=self.name, error=error, scale=self.scale, **fields)

    def onnx(self, opset, path):
        def make():
            made, _ = tf2onnx.convert.from_keras(self.model, opset=opset)
            onnx.checker.check_model(made)
            content = made.SerializeToString()
            if path:
                _write(path, content)
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            runner = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
            (taken,) = [each.name for each in runner.get_inputs()]
            return [runner.run(None, {taken: batch}) for batch in self.batches]

        self.tell(make, format="onnx", opset=opset, **_file(path))

    def h5(self, path):
        self.tell(lambda: self.model.save(path), format="h5", file=path)

    def saved_model(self, path):
        inputs = {"x": self.model.inputs[0]}
        outputs = {"y{}".format(number): tensor for number, tensor in enumerate(self.model.outputs)}
        self.tell(
            lambda: tf1.saved_model.simple_save(self.session, path, inputs, outputs), format="SavedModel", file=path
        )

    def frozen(self, path):
        def make():
            names = [tensor.op.name for tensor in self.model.outputs]
            graph = tf1.graph_util.convert_variables_to_constants(
                self.session, self.session.graph.as_graph_def(), names
            )
            _write(path, graph.SerializeToString())

        self.tell(make, format="pb", file=path)

    def tflite(self, path, h5):
        """Outside of every graph: the converter clears the default one. It wants to know all sizes."""
        batch = self.batches[0]
        shapes = {self.model.inputs[0].op.name: batch.shape}

        def make():
            content = tf1.lite.TFLiteConverter.from_keras_model_file(h5, input_shapes=shapes).convert()
            _write(path, content)
            runner = tf.lite.Interpreter(model_content=content)
            runner.allocate_tensors()
            runner.set_tensor(runner.get_input_details()[0]["index"], batch)
            runner.invoke()
            return [[runner.get_tensor(each["index"]) for each in runner.get_output_details()]]

        self.tell(make, format="tflite", file=path)


def _file(path):
    return {"file": path} if path else {}


def _write(path, content):
    with open(path, "wb") as file:
        file.write(content)


def run(opsets, names=None, folder=None):
    import zoo

    tf1.logging.set_verbosity(tf1.logging.ERROR)
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    for name in names or []:
        if name not in zoo.MODELS:
            answer(unknown=name, known=", ".join(zoo.MODELS))
            return
    for name in names or list(zoo.MODELS):
        with tf.Graph().as_default() as graph, tf1.Session(graph=graph) as session:
            tf1.keras.backend.set_session(session)
            tf.keras.backend.set_learning_phase(0)
            tf1.set_random_seed(5)
            model = zoo.MODELS[name]()
            subject = Subject(name, model, list(zoo.batches(model)), session)
            place = None
            if folder:
                place = os.path.join(folder, name.replace(" ", "-"))
                os.makedirs(place)
                subject.h5(os.path.join(place, "model.h5"))
                subject.saved_model(os.path.join(place, "saved_model"))
                subject.frozen(os.path.join(place, "model.pb"))
            for opset in opsets:
                subject.onnx(opset, place and os.path.join(place, "model-opset{}.onnx".format(opset)))
        if place:
            subject.tflite(os.path.join(place, "model.tflite"), os.path.join(place, "model.h5"))


def main(command, opsets="", names="", folder=""):
    if command == "versions":
        versions()
    else:
        run([int(each) for each in opsets.split(",")], [each for each in names.split(",") if each], folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
