"""The Object Detection API's summaries, written by TensorFlow before and after the patch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from kiln.models import codepatch
from kiln.models.environment import Environment
from tests.support.detection import A, B
from tests.support.repository import ROOT

# Trains 300 steps with images of noise from -128 to 127; tells the event files' size and what images are in them.
PROGRAM = """\
import glob, json, os, sys
import numpy as np
import tensorflow as tf
tf.compat.v1.enable_v2_behavior()
import model_lib_v2 as lib
class Model:
    def __init__(self):
        self.w = tf.compat.v2.Variable(1.0)
        self.trainable_variables = [self.w]
    def __call__(self, images):
        return self.w * tf.reduce_mean(images)
batch = np.random.RandomState(0).uniform(-128, 127, (4, 64, 64, 3)).astype("float32")
batch[:, 0, 0], batch[:, 0, 1], batch[:, 0, 2] = -128, 0, 127
strategy = tf.compat.v2.distribute.MirroredStrategy(["/cpu:0"])
with strategy.scope():
    model = Model()
lib.train_loop(model, tf.constant(batch), 300, sys.argv[1], strategy, **json.loads(sys.argv[2]))
steps, corners, scalars = [], set(), 0
(file,) = glob.glob(os.path.join(sys.argv[1], "*"))
for event in tf.compat.v1.train.summary_iterator(file):
    for value in event.summary.value:
        scalars += value.tag == "learning_rate"
        if value.tag == "train_input_images":
            steps.append(event.step)
            _, _, *pictures = tf.make_ndarray(value.tensor)
            for picture in pictures:
                pixels = tf.image.decode_png(picture).numpy()
                corners |= {tuple(int(value) for value in pixels[0, :3, 0])}
print(json.dumps({"bytes": os.path.getsize(file), "steps": steps, "corners": sorted(corners), "scalars": scalars}))
"""


def trained(tensorflow: Environment, folder: Path, **arguments: object) -> dict[str, object]:
    done = subprocess.run(
        [tensorflow.python, "-W", "ignore", "-c", PROGRAM, folder / "events", json.dumps(arguments)],
        cwd=folder,
        env=tensorflow.variables(os.environ, PYTHONPATH=str(folder), TF_CPP_MIN_LOG_LEVEL="2"),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


def form(folder: Path, text: str) -> Path:
    folder.mkdir()
    (folder / "model_lib_v2.py").write_text(text, encoding="utf-8")
    return folder


def test_three_hundred_steps_write_three_images_in_their_colours_and_a_small_file(
    tensorflow: Environment, tmp_path: Path
) -> None:
    before = trained(tensorflow, form(tmp_path / "before", A))
    folder = form(tmp_path / "after", A)
    codepatch.run(codepatch.load(ROOT, "tensorflow-models"), folder)
    after = trained(tensorflow, folder)
    assert before["steps"] == list(range(300))
    assert after["steps"] == [0, 100, 200]
    assert before["scalars"] == after["scalars"] == 300
    assert before["corners"] == [[0, 0, 255]]  # what is not above 0 is black, all the rest white
    assert after["corners"] == [[0, 128, 255]]
    sys.stdout.write(f"event file of 300 steps: {before['bytes']} bytes before, {after['bytes']} after\n")
    assert isinstance(before["bytes"], int)
    assert isinstance(after["bytes"], int)
    assert after["bytes"] < before["bytes"] / 10


def test_form_b_is_switched_off_as_the_message_says(tensorflow: Environment, tmp_path: Path) -> None:
    folder = form(tmp_path / "b", B)
    found = trained(tensorflow, folder, record_summaries=False, num_steps_per_iteration=100)
    assert (found["steps"], found["scalars"]) == ([], 3)
