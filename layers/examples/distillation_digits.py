"""A small network learns handwritten digits, with and without an ensemble of teachers.

python examples/distillation_digits.py [SEEDS]     about 15 s a seed on one core; SEEDS is 5 unless given

The data are the 1797 images of 8x8 pixels that come with scikit-learn; 40% are held out. Two teachers, of 128 hidden
units and with dropout, learn all labels; the student has 16 hidden units. It is trained from the same first weights
for the same number of steps: on labels alone; on labels and teachers; and, where only every tenth image has a label,
or none, on the teachers' word for the rest.
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import sklearn.datasets
import sklearn.model_selection
import tensorflow as tf

from fireclay import Distiller

EPOCHS = 60
HIDDEN = 16
TEMPERATURE, ALPHA = 4.0, 0.1
CASES = [
    ("all labels", 1, False),
    ("all labels and teachers", 1, True),
    ("a tenth of the labels", 10, False),
    ("a tenth of the labels and teachers", 10, True),
    ("teachers only", None, True),
]


def digits(seed):
    """(images, labels) to train on, and to test on; images are (examples, 64) from 0 to 1."""
    data = sklearn.datasets.load_digits()
    images = (data.data / 16).astype("float32")
    split = sklearn.model_selection.train_test_split(
        images, data.target, test_size=0.4, random_state=seed, stratify=data.target
    )
    return (split[0], split[2]), (split[1], split[3])


def network(hidden, dropout=0.0):
    layers = [tf.keras.layers.Dense(hidden, activation="relu", input_shape=(64,))]
    if dropout:
        layers.append(tf.keras.layers.Dropout(dropout))
    return tf.keras.Sequential([*layers, tf.keras.layers.Dense(10)])


def cross_entropy(labels, logits):
    labels = tf.cast(tf.reshape(labels, [-1]), tf.int32)
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)


def trained(model, images, labels, epochs=EPOCHS):
    model.compile(optimizer=tf.keras.optimizers.Adam(0.005), loss=cross_entropy)
    model.fit(images, labels, epochs=epochs, batch_size=32, verbose=0)
    return model


def distilled(student, teachers, images, labels):
    distiller = Distiller(student, teachers, TEMPERATURE, ALPHA)
    distiller.compile(tf.keras.optimizers.Adam(0.005))
    distiller.fit(images, labels, epochs=EPOCHS, batch_size=32, verbose=0)
    return student


def accuracy(model, images, labels):
    """In percent."""
    return 100 * float(np.mean(model.predict(images, verbose=0).argmax(axis=1) == labels))


def one_seed(seed):
    """Accuracies on the held-out images: a dict from the case's name."""
    tf.keras.backend.clear_session()
    np.random.seed(seed)
    (tf.random.set_seed if hasattr(tf.random, "set_seed") else tf.compat.v1.set_random_seed)(seed)
    (images, labels), test = digits(seed)
    teachers = [trained(network(128, dropout=0.3), images, labels) for _ in range(2)]
    found = {"teachers, mean of two": np.mean([accuracy(teacher, *test) for teacher in teachers])}
    start = network(HIDDEN).get_weights()
    for name, every, taught in CASES:
        student = network(HIDDEN)
        student.set_weights(start)
        known = np.full(len(labels), -1) if every is None else np.where(np.arange(len(labels)) % every, -1, labels)
        if taught:
            distilled(student, teachers, images, known)
        else:
            trained(student, images[known >= 0], known[known >= 0], EPOCHS * every)
        found[name] = accuracy(student, *test)
    return found


def rows(results):
    """The table's lines: name, mean, standard deviation, and each seed's accuracy in percent."""
    for name in results[0]:
        values = np.array([result[name] for result in results])
        yield [name, "{:.1f}".format(values.mean()), "{:.1f}".format(values.std()), *map("{:.1f}".format, values)]


def table(results):
    seeds = len(results)
    head = ["accuracy on held-out digits, %", "mean", "s.d.", *("seed {}".format(seed) for seed in range(seeds))]
    lines = [head, ["---", *["---:"] * (seeds + 2)], *rows(results)]
    return "\n".join("| {} |".format(" | ".join(line)) for line in lines)


if __name__ == "__main__":
    tf.compat.v1.logging.set_verbosity(tf.compat.v1.logging.ERROR)
    print(table([one_seed(seed) for seed in range(int(sys.argv[1]) if sys.argv[1:] else 5)]))
