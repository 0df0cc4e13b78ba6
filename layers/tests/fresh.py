"""Run in a process of its own: loads what test_saving.py saved, and says what it computes.

python fresh.py MODE FOLDER: FOLDER holds models as *.h5 and SavedModels as *.saved, each with its input as *.npy. The
output of each goes to *.out.npy. Plain *.h5 models and SavedModels are loaded before fireclay is known.
"""

import glob
import os
import sys

import conftest  # noqa: F401
import numpy as np
import tensorflow as tf
from modes import IS_TF1, Mode


def from_saved_model(path, x, mode):
    """The answer of the default signature, which knows nothing of Keras."""
    if not mode.in_session:
        loaded = tf.saved_model.load_v2(path) if IS_TF1 else tf.saved_model.load(path)
        signature = loaded.signatures["serving_default"]
        (name,) = signature.structured_input_signature[1]
        (answer,) = signature(**{name: tf.constant(x)}).values()
        return answer.numpy()
    graph = tf.compat.v1.saved_model.load(mode.session, ["serve"], path)
    signature = graph.signature_def["serving_default"]
    (taken,), (given,) = signature.inputs.values(), signature.outputs.values()
    return mode.session.run(given.name, {taken.name: x})


def main(name, folder):
    for path in sorted(glob.glob(os.path.join(folder, "*.npy"))):
        stem = path[: -len(".npy")]
        x = np.load(path)
        if os.path.exists(stem + ".saved"):
            with Mode(name) as mode:
                np.save(stem + ".saved.out", from_saved_model(stem + ".saved", x, mode))
        with Mode(name):
            if not stem.endswith("plain"):
                import fireclay  # noqa: F401
            elif "fireclay" in sys.modules:
                raise RuntimeError("fireclay was imported before the plain model was loaded")
            model = tf.keras.models.load_model(stem + ".h5")
            np.save(stem + ".h5.out", model.predict(x, verbose=0))


if __name__ == "__main__":
    main(*sys.argv[1:])
