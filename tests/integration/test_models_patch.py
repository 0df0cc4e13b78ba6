"""The Object Detection API's summaries, written by TensorFlow before and after the patch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from kiln.models import codepatch
from kiln.models.environment import Environment
from tests.support.detection import A, B
from tests.support.repository import ROOT

# Trains 300 steps with images of noise, normalised by a scale and an offset for each colour; tells the event files'
# size, what images are in them, and how far they are from those before the normalisation.
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
scale, offset = json.loads(sys.argv[3])
images = np.random.RandomState(0).uniform(0, 255, (4, 64, 64, 3))
images[:, 0, 0], images[:, 0, 1], images[:, 0, 2] = 0, 128, 255
batch = (images * scale + offset).astype("float32")
strategy = tf.compat.v2.distribute.MirroredStrategy(["/cpu:0"])
with strategy.scope():
    model = Model()
lib.train_loop(model, tf.constant(batch), 300, sys.argv[1], strategy, **json.loads(sys.argv[2]))
steps, corners, scalars, far = [], set(), 0, 0
(file,) = glob.glob(os.path.join(sys.argv[1], "*"))
for event in tf.compat.v1.train.summary_iterator(file):
    for value in event.summary.value:
        scalars += value.tag == "learning_rate"
        if value.tag == "train_input_images":
            steps.append(event.step)
            _, _, *pictures = tf.make_ndarray(value.tensor)
            for picture, image in zip(pictures, images):
                pixels = tf.image.decode_png(picture).numpy()
                far = max(far, float(np.abs(pixels - image).max()))
                corners |= {tuple(int(value) for value in pixels[0, :3, 0])}
found = {"bytes": os.path.getsize(file), "steps": steps, "corners": sorted(corners), "scalars": scalars, "far": far}
print(json.dumps(found))
"""

# What the feature extractors of the Object Detection API do to an image from 0 to 255, as a scale and an offset for each
# colour: those that subtract the mean colour, those that give [-1, 1], EfficientNet's, and those that change nothing;
# and how far a pixel of the picture may be from the image's own.
MEANS, DEVIATIONS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
RESNET = ([1, 1, 1], [-123.68, -116.779, -103.939])
EXTRACTORS = {
    "ResNet": (RESNET, 20),
    "MobileNet": (([2 / 255] * 3, [-1] * 3), 1),
    "EfficientNet": (
        ([1 / 255 / one for one in DEVIATIONS], [-mean / one for mean, one in zip(MEANS, DEVIATIONS)]),
        22,
    ),
    "none": (([1] * 3, [0] * 3), 1),
}
Normalisation = tuple[Sequence[float], Sequence[float]]


def trained(
    tensorflow: Environment, folder: Path, normalisation: Normalisation = RESNET, **arguments: object
) -> dict[str, object]:
    done = subprocess.run(
        [
            tensorflow.python,
            "-W",
            "ignore",
            "-c",
            PROGRAM,
            folder / "events",
            json.dumps(arguments),
            json.dumps(normalisation),
        ],
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


def test_three_hundred_steps_write_three_images_and_a_small_file(
    tensorflow: Environment, tmp_path: Path
) -> None:
    before = trained(tensorflow, form(tmp_path / "before", A))
    folder = form(tmp_path / "after", A)
    codepatch.run(codepatch.load(ROOT, "tensorflow-models"), folder)
    after = trained(tensorflow, folder)
    assert before["steps"] == list(range(300))
    assert after["steps"] == [0, 100, 200]
    assert before["scalars"] == after["scalars"] == 300
    assert before["corners"] == [[0, 255, 255]]  # what is not above 0 is black, all the rest white
    sys.stdout.write(f"event file of 300 steps: {before['bytes']} bytes before, {after['bytes']} after\n")
    assert isinstance(before["bytes"], int)
    assert isinstance(after["bytes"], int)
    assert after["bytes"] < before["bytes"] / 10


@pytest.mark.parametrize(("normalisation", "most"), EXTRACTORS.values(), ids=EXTRACTORS)
def test_pictures_of_every_kind_of_extractor_look_like_the_images(
    tensorflow: Environment, tmp_path: Path, normalisation: Normalisation, most: float
) -> None:
    folder = form(tmp_path / "after", A)
    codepatch.run(codepatch.load(ROOT, "tensorflow-models"), folder)
    found = trained(tensorflow, folder, normalisation)
    assert found["steps"] == [0, 100, 200]
    assert isinstance(found["far"], float)
    assert found["far"] <= most


def test_form_a_writes_at_every_so_many_th_step_until_it_is_patched(
    tensorflow: Environment, tmp_path: Path
) -> None:
    found = trained(tensorflow, form(tmp_path / "before", A), num_steps_per_iteration=50)
    assert found["steps"] == list(range(0, 300, 50))
    folder = form(tmp_path / "after", A)
    codepatch.run(codepatch.load(ROOT, "tensorflow-models"), folder)
    assert trained(tensorflow, folder, num_steps_per_iteration=50)["steps"] == [0, 100, 200]


def test_form_b_is_switched_off_as_the_message_says(tensorflow: Environment, tmp_path: Path) -> None:
    folder = form(tmp_path / "b", B)
    found = trained(tensorflow, folder, record_summaries=False, num_steps_per_iteration=100)
    assert (found["steps"], found["scalars"]) == ([], 3)
