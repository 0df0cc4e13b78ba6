"""Makes the pictures in this folder and the tables in README.md: python docs/figures.py [NAME ...], all unless named.

Runs eagerly on TensorFlow 1.15 or 2, with scikit-learn and matplotlib; all but `distillation` take a minute together.
"""

import os
import re
import subprocess
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("MPLBACKEND", "Agg")
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

import fireclay

FORMS = [
    ("straight-through (default)", lambda x: fireclay.threshold_min_max_value(x, 0, 1)),
    ('gradient="masked"', lambda x: fireclay.threshold_min_max_value(x, 0, 1, "masked")),
    ("tf.clip_by_value", lambda x: tf.clip_by_value(x, 0.0, 1.0)),
]


def seed(number):
    (tf.random.set_seed if hasattr(tf.random, "set_seed") else tf.compat.v1.set_random_seed)(number)


def save(figure, name):
    figure.tight_layout()
    figure.savefig(os.path.join(HERE, name + ".png"), dpi=90, metadata={"Software": None})
    plt.close(figure)


def put(name, lines):
    """Replaces what stands between README.md's marks of this name."""
    path = os.path.join(os.path.dirname(HERE), "README.md")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    marks = "<!-- {}: made by docs/figures.py -->\n".format(name), "<!-- end of {} -->".format(name)
    pattern = re.escape(marks[0]) + ".*?" + re.escape(marks[1])
    if not re.search(pattern, text, re.DOTALL):
        raise SystemExit("README.md lacks the marks of the table {}: put them back".format(name))
    text = re.sub(pattern, lambda _: marks[0] + "\n".join(lines) + "\n" + marks[1], text, flags=re.DOTALL)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def markdown(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return ["| {} |".format(" | ".join(line)) for line in lines]


def value_and_gradient(function, x):
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    return y.numpy(), tape.gradient(y, x).numpy()


def descent(function, start, steps=60):
    """The way of w under gradient descent on (function(w) - 0.5)^2."""
    way = [np.float32(start)]
    for _ in range(steps):
        y, gradient = value_and_gradient(function, way[-1])
        way.append(way[-1] - np.float32(0.2) * (y - np.float32(0.5)) * gradient)
    return np.array(way)


def threshold_table():
    points = np.float32([-np.inf, -2, 0, 0.5, 1, 2, 1e38, np.inf])
    names = ["-inf", "-2", "0", "0.5", "1", "2", "1e38", "+inf"]
    rows = [["value, all three", *map("{:g}".format, value_and_gradient(FORMS[0][1], points)[0])]]
    for name, function in FORMS:
        y, gradient = value_and_gradient(function, points)
        np.testing.assert_array_equal(y, np.clip(points, 0, 1))
        rows.append(["gradient, " + name, *map("{:g}".format, gradient)])
    rows = [[*row, ""] for row in rows]
    for row, (_, function) in zip(rows[1:], FORMS):
        row[-1] = "{:.3g}".format(descent(function, 5.0, 200)[-1])
    return markdown(["x, with bounds 0 and 1", *names, "descent from 5 to 0.5 ends at"], rows)


def threshold():
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(11, 3.3))
    x = np.linspace(-1, 2, 601).astype("float32")
    for number, (name, function) in enumerate(FORMS):
        y, gradient = value_and_gradient(function, x)
        style = {"linewidth": 5 - 2 * number, "alpha": 0.7, "label": name}
        left.plot(x, y, **style)
        middle.plot(x, gradient, **style)
        right.plot(descent(function, 5.0), **style)
    left.set(title="value", xlabel="x", ylabel="y")
    middle.set(title="gradient", xlabel="x", ylabel="dy/dx")
    right.set(title="gradient descent of (y - 0.5)$^2$ from 5", xlabel="step", ylabel="x")
    right.axhspan(0, 1, color="grey", alpha=0.15)
    right.legend(fontsize=8)
    save(figure, "threshold")
    put("threshold", threshold_table())


def stack(kind, depth, batch_norm, initializer):
    """A model of `depth` 3x3 convolutions on 8x8 pixels; kind is "plain", 1 or 2. Its first convolutions, in order."""
    layers = tf.keras.layers
    inputs = tf.keras.Input((8, 8, 16))
    x = layers.Conv2D(16, 3, padding="same", kernel_initializer=initializer)(inputs)
    for _ in range(depth // 2):
        if kind == "plain":
            for _ in range(2):
                x = layers.Conv2D(16, 3, padding="same", kernel_initializer=initializer)(x)
                x = layers.Activation("relu")(layers.BatchNormalization()(x) if batch_norm else x)
        else:
            x = fireclay.residual_block(x, 16, kind, batch_norm=batch_norm, kernel_initializer=initializer)
    return tf.keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))


def gradient_norms(kind, batch_norm, initializer, depth=50):
    """The norm of the loss's gradient in each convolution's weights, from the first layer on, before training."""
    tf.keras.backend.clear_session()
    seed(1)
    random = np.random.RandomState(2)
    model = stack(kind, depth, batch_norm, initializer)
    images, labels = random.normal(size=(32, 8, 8, 16)).astype("float32"), random.randint(0, 10, 32)
    weights = [layer.kernel for layer in model.layers if isinstance(layer, tf.keras.layers.Conv2D)]
    weights = [getattr(weight, "value", weight) if hasattr(weight, "path") else weight for weight in weights]
    with tf.GradientTape() as tape:
        answers = model(tf.constant(images), training=True)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=answers))
    return [float(np.linalg.norm(gradient.numpy())) for gradient in tape.gradient(loss, weights)]


def gradients():
    settings = [
        ("no batch normalisation, Glorot's scale", False, "glorot_uniform"),
        ("batch normalisation, He's scale", True, "he_normal"),
    ]
    kinds = [("plain", "plain"), ("version 1 (2015)", 1), ("version 2 (2016)", 2)]
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.6))
    rows = []
    for ax, (title, batch_norm, initializer) in zip(axes, settings):
        norms = [gradient_norms(kind, batch_norm, initializer) for _, kind in kinds]
        for (name, _), values in zip(kinds, norms):
            ax.semilogy(np.arange(1, len(values) + 1), values, label=name)
        ax.set(title=title, xlabel="convolution, from the input", ylabel="norm of the weights' gradient")
        ax.legend(fontsize=8)
        rows.append([title, *("{:.2g}".format(values[0]) for values in norms)])
    save(figure, "gradients")
    put("gradients", markdown(["gradient in the first layer at depth 50", *(name for name, _ in kinds)], rows))


def pyramid():
    import sklearn.datasets

    photo = sklearn.datasets.load_sample_image("flower.jpg")[60:381, 160:481].astype("float32") / 255
    batch = tf.constant(photo[np.newaxis])
    blurred = fireclay.GaussianFilter(9, 3, padding="reflect")(batch).numpy()[0]
    bands = fireclay.LaplacianAnalysis(3)(batch)
    back = fireclay.LaplacianSynthesis()(bands).numpy()[0]
    error = np.abs(back - photo).max()
    figure, axes = plt.subplots(1, 7, figsize=(14, 2.5))
    shown = [("image, 321 x 321", photo), ("GaussianFilter(9)", blurred)]
    for number, band in enumerate(bands):
        picture = band.numpy()[0]
        size = "{} x {}".format(*picture.shape[:2])
        last = number == len(bands) - 1
        shown.append(("rest, " + size, picture) if last else ("band, " + size, 0.5 + 2 * picture))
    shown.append(("synthesis, error {:.0e}".format(error), back))
    for ax, (title, picture) in zip(axes, shown):
        ax.imshow(np.clip(picture, 0, 1))
        ax.set_title(title, fontsize=8)
        ax.axis("off")
    save(figure, "pyramid")


def measures():
    import sklearn.datasets
    import sklearn.linear_model
    import sklearn.model_selection

    from fireclay import measures as measuring
    from fireclay import plots

    data = sklearn.datasets.load_digits()
    split = sklearn.model_selection.train_test_split(data.data, data.target == 8, test_size=0.5, random_state=0)
    model = sklearn.linear_model.LogisticRegression(C=0.001, max_iter=1000).fit(split[0], split[2])
    costs = {"fp_cost": 1, "fn_cost": 5}
    chosen = measuring.cost_optimal_threshold(split[2], model.predict_proba(split[0])[:, 1], **costs).threshold
    labels, scores = split[3].astype(int), model.predict_proba(split[1])[:, 1]
    figure, axes = plt.subplots(1, 5, figsize=(18, 3.8))
    plots.plot_confusion_matrix(labels, scores, chosen, ax=axes[0])
    plots.plot_roc(labels, scores, chosen, ax=axes[1])
    plots.plot_precision_recall(labels, scores, chosen, ax=axes[2])
    plots.plot_lift(labels, scores, 0.1, ax=axes[3])
    plots.plot_cost(labels, scores, ax=axes[4], **costs)
    save(figure, "measures")


def distillation():
    program = os.path.join(os.path.dirname(HERE), "examples", "distillation_digits.py")
    environment = dict(os.environ, PYTHONPATH=os.path.dirname(HERE))
    output = subprocess.check_output([sys.executable, "-W", "ignore", program], env=environment)
    put("distillation", [line for line in output.decode().splitlines() if line.startswith("|")])


if __name__ == "__main__":
    tf.compat.v1.logging.set_verbosity(tf.compat.v1.logging.ERROR)
    if tf.__version__.startswith("1."):
        tf.compat.v1.enable_eager_execution()
    makers = [threshold, gradients, pyramid, measures, distillation]
    for make in makers:
        if not sys.argv[1:] or make.__name__ in sys.argv[1:]:
            make()
