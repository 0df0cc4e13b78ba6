"""The Distiller: students that learn, from arrays and from batches, and what it says of what it does not take."""

import numpy as np
import pytest
import tensorflow as tf
from teaching import accuracy, blobs, expert, network, softmax

from fireclay import Distiller, TemperatureSoftmax, resnet
from fireclay.distillation import one_hot_labels


@pytest.mark.parametrize("known", ["all", "some", "none"])
def test_student_learns_from_a_teacher_with_labels_for(mode, known):
    x, labels = blobs(400)
    teacher, student = expert(), network(8)
    distiller = Distiller(student, teacher, temperature=2, alpha=0.2)
    distiller.compile(tf.keras.optimizers.Adam(0.02))
    given = {"all": labels, "some": np.where(np.arange(400) % 4, -1, labels), "none": None}[known]
    history = distiller.fit(x, given, epochs=12, batch_size=32, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert accuracy(student, x, labels) > accuracy(teacher, x, labels) - 0.04
    if known != "none":
        assert history.history["accuracy"][-1] > 0.8
    else:
        assert np.isnan(history.history["accuracy"]).all()


def test_soft_targets_are_the_ensembles_mean(mode):
    x, _ = blobs(20)
    teachers = [expert(scale) for scale in (1.0, 4.0)]
    soft = Distiller(network(4), teachers, temperature=3).soft_targets(x)
    expected = np.mean([softmax(teacher.predict(x, verbose=0), 3) for teacher in teachers], axis=0)
    np.testing.assert_allclose(soft, expected, atol=1e-6)


def test_validation_and_accuracy_count_the_labelled_alone(mode):
    x, labels = blobs(90)
    teacher = expert()
    student = expert(1.0)
    distiller = Distiller(student, teacher)
    distiller.compile(tf.keras.optimizers.SGD(0.0))
    some = np.where(np.arange(90) % 3, labels, -1)
    history = distiller.fit(x, labels, validation_data=(x, some), batch_size=32, verbose=0)
    assert history.history["accuracy"][0] == pytest.approx(accuracy(student, x, labels), abs=1e-6)
    assert history.history["val_accuracy"][0] == pytest.approx(
        accuracy(student, x[some >= 0], some[some >= 0]), abs=1e-6
    )


def test_teachers_are_left_as_they_were(mode):
    x, labels = blobs(40)
    teacher, student = expert(), network(4)
    before = [model.get_weights() for model in (teacher, student)]
    distiller = Distiller(student, [teacher])
    distiller.compile("sgd")
    distiller.fit(x, labels, verbose=0)
    np.testing.assert_array_equal(teacher.get_weights()[0], before[0][0])
    assert np.abs(student.get_weights()[0] - before[1][0]).max() > 0


def test_student_stays_compiled_as_it_was(mode):
    x, labels = blobs(40)
    student = network(4)
    student.compile(optimizer="sgd", loss="mse")
    distiller = Distiller(student, expert())
    distiller.compile("adam")
    distiller.fit(x, labels, verbose=0)
    assert float(student.evaluate(x, student.predict(x, verbose=0), verbose=0)) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    "labels, message",
    [
        ([0, 1], "labels must be 3 class numbers, one an example, got int64 of shape"),
        ([0.0, 1.0, 2.0], "labels must be 3 class numbers, one an example, got float64"),
        ([0, 1, 3], "labels must be from 0 to 2, or -1 for unknown, got 0 to 3"),
        ([0, -2, 1], "labels must be from 0 to 2, or -1 for unknown, got -2 to 1"),
    ],
)
def test_wrong_labels_are_told(labels, message):
    distiller = Distiller(network(4), expert())
    distiller.compile("sgd")
    with pytest.raises(ValueError, match=message):
        distiller.fit(np.zeros((3, 2), "float32"), np.array(labels), verbose=0)


def test_wrong_models_and_numbers_are_told():
    other = tf.keras.Sequential([tf.keras.layers.Dense(5, input_shape=(2,))])
    image = tf.keras.Sequential([tf.keras.layers.Conv2D(3, 1, input_shape=(4, 4, 1))])
    for arguments, message in [
        ((network(4), []), "at least one teacher"),
        ((network(4), other), "must have the same number of classes, got 3, 5"),
        ((network(4), image), "must have one output"),
        ((tf.keras.Sequential([tf.keras.layers.Dense(3)], name="vague"), expert()), "vague must be a functional"),
        ((network(4), expert(), 0), "temperature must be positive and finite, got 0"),
        ((network(4), expert(), 2, 1.5), "alpha must be from 0 to 1, got 1.5"),
    ]:
        with pytest.raises(ValueError, match=message):
            Distiller(*arguments)


def test_what_is_no_model_or_takes_other_inputs_is_told():
    with pytest.raises(ValueError, match="the student must be a Keras model, got 'a'"):
        Distiller("a", "b")
    with pytest.raises(ValueError, match="a teacher must be a Keras model, got 'b'"):
        Distiller(network(4), "b")
    other = tf.keras.Sequential([tf.keras.layers.Dense(3, input_shape=(5,))])
    with pytest.raises(ValueError, match=r"must take the same inputs, got .*2.* and .*5"):
        Distiller(network(4), other)
    with pytest.raises(ValueError, match="form must be one of 'cross-entropy', 'kl', got 'mse'"):
        Distiller(network(4), expert(), form="mse")
    with pytest.raises(ValueError, match="from_logits must be None, a bool, or 2 of them"):
        Distiller(network(4), expert(), from_logits=[True])


@pytest.mark.parametrize("name", ["loss", "metrics", "weighted_metrics", "loss_weights"])
def test_loss_and_metrics_are_the_distillers_own(name):
    with pytest.raises(ValueError, match="takes no {}: compile and evaluate the student".format(name)):
        Distiller(network(4), expert()).compile("sgd", **{name: ["accuracy"]})


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"validation_data": (1, 2, 3, 4)}, "validation_data must be .x, y. or .x, y, sample weights., got 4 parts"),
        ({"validation_data": np.zeros((3, 2))}, "or batches, got an array"),
        ({"class_weight": {3: 1.0}}, "class_weight must name classes from 0 to 2, got 3"),
        ({"class_weight": {"cat": 1.0}}, "class_weight must name classes from 0 to 2, got 'cat'"),
        ({"y": np.full((3, 3), 0.5)}, "rows of labels must hold a single 1, or zeros"),
    ],
)
def test_wrong_arguments_of_fit_are_told(arguments, message):
    distiller = Distiller(network(4), expert())
    distiller.compile("sgd")
    with pytest.raises(ValueError, match=message):
        distiller.fit(np.zeros((3, 2), "float32"), verbose=0, **arguments)


def test_fit_before_compile_and_labels_beside_batches_are_told():
    distiller = Distiller(network(4), expert())
    with pytest.raises(ValueError, match="compile the Distiller before fit"):
        distiller.fit(np.zeros((3, 2), "float32"))
    distiller.compile("sgd")
    batches = iter([(np.zeros((3, 2), "float32"), np.zeros(3, int))])
    with pytest.raises(ValueError, match="labels and sample weights come with the batches"):
        distiller.fit(batches, np.zeros(3, int))
    wide = iter([(np.zeros((3, 2), "float32"), np.zeros(3, int), np.ones(3), np.ones(3))])
    with pytest.raises(ValueError, match=r"batches must be x, .x, y. or .x, y, sample weights., got 4 parts"):
        next(distiller._batches(wide, np.ones(3)))


@pytest.mark.parametrize("shape", [(16, 2), (16, 4), (16, 3, 1)])
def test_labels_of_a_dataset_that_do_not_fit_are_told(shape):
    distiller = Distiller(network(4), expert())
    distiller.compile("sgd")
    data = tf.data.Dataset.from_tensors((np.zeros((16, 2), "float32"), np.zeros(shape, "float32")))
    with pytest.raises(ValueError, match="labels must be"):
        distiller.fit(data, verbose=0)


def ended(model, how):
    """The model with a softmax behind it, in one of the ways in which people write it."""
    layers = tf.keras.layers
    inputs = tf.keras.Input((2,))
    if how == "layer":
        return tf.keras.Model(inputs, layers.Softmax()(model(inputs)))
    if how == "activation":
        return tf.keras.Sequential([model, layers.Activation("softmax")])
    if how == "temperature 1":
        return tf.keras.Model(inputs, TemperatureSoftmax(1)(model(inputs)))
    if how == "nested":
        return tf.keras.Sequential([tf.keras.Model(inputs, layers.Softmax()(model(inputs)))])
    if how == "function":
        function = tf.keras.ops.softmax if hasattr(tf.keras, "ops") else tf.nn.softmax
        return tf.keras.Model(inputs, function(model(inputs)))
    hidden = model.layers[:-1]
    first = [layers.Dense(8, activation="relu", input_shape=(2,))] if hidden else []
    dense = tf.keras.Sequential(
        [*first, layers.Dense(3, activation="softmax", **({} if hidden else {"input_shape": (2,)}))]
    )
    dense.set_weights(model.get_weights())
    return dense


ENDS = ["layer", "activation", "temperature 1", "nested", "function", "dense"]


@pytest.mark.parametrize("how", ENDS)
def test_teacher_that_ends_in_softmax_teaches_what_its_logits_do(mode, how):
    x, _ = blobs(30)
    teacher = expert(10.0)
    probabilities = ended(teacher, how)
    assert np.abs(probabilities.predict(x, verbose=0).sum(axis=1) - 1).max() < 1e-5
    expected = Distiller(network(4), teacher, temperature=2).soft_targets(x)
    found = Distiller(network(4), probabilities, temperature=2).soft_targets(x)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_networks_as_resnet_gives_them_are_taken_for_what_they_are(mode):
    """They end in a softmax unless they are asked for logits."""
    given = {"n_blocks": (1,), "input_shape": (8, 8, 1), "classes": 3, "filters": 4}
    teacher, logits, student = resnet(**given), resnet(activation=None, **given), resnet(**given)
    logits.set_weights(teacher.get_weights())
    x = np.random.RandomState(17).normal(0, 9, (20, 8, 8, 1)).astype("float32")
    expected = softmax(logits.predict(x, verbose=0), 2)
    assert expected.max() > 0.6
    for each in (teacher, logits):
        np.testing.assert_allclose(Distiller(student, each, temperature=2).soft_targets(x), expected, atol=1e-5)


def test_soft_targets_of_a_sure_softmax_stay_sure():
    """With the probabilities taken for logits they would be .58, .21 and .21."""
    logits = tf.keras.Sequential([tf.keras.layers.Dense(3, input_shape=(2,))])
    logits.set_weights([np.zeros((2, 3), "float32"), np.float32([8.2, 0, 0])])
    soft = Distiller(network(4), ended(logits, "dense"), temperature=1).soft_targets(np.zeros((1, 2), "float32"))
    np.testing.assert_allclose(soft, softmax([[8.2, 0, 0]]), atol=1e-6)
    assert soft[0, 0] > 0.9994


@pytest.mark.parametrize("how", ["layer", "dense"])
def test_student_that_ends_in_softmax_is_trained_as_its_logits_are(mode, how):
    x, labels = blobs(64)
    plain = network(8)
    student = ended(plain, how)
    other = network(8)
    other.set_weights(plain.get_weights())
    for model in (student, other):
        distiller = Distiller(model, expert(), temperature=2, alpha=0.3)
        distiller.compile(tf.keras.optimizers.SGD(0.1))
        distiller.fit(x, labels, epochs=2, batch_size=16, shuffle=False, verbose=0)
    for one, two in zip(student.get_weights(), other.get_weights()):
        np.testing.assert_allclose(one, two, atol=1e-5)


def hidden_softmax(model):
    """A softmax that no name tells: one over the same, written out."""
    layers = tf.keras.layers
    inputs = tf.keras.Input((2,))
    if hasattr(tf.keras, "ops"):
        odds = tf.keras.ops.exp(model(inputs))
        return tf.keras.Model(inputs, odds / tf.keras.ops.sum(odds, axis=-1, keepdims=True))
    odds = layers.Lambda(lambda z: tf.exp(z) / tf.reduce_sum(tf.exp(z), axis=-1, keepdims=True))(model(inputs))
    return tf.keras.Model(inputs, odds)


def test_probabilities_of_unknown_origin_are_refused_until_from_logits_says_what_they_are(mode):
    x, labels = blobs(30)
    teacher = hidden_softmax(expert())
    with pytest.raises(ValueError, match=r"a teacher .* seems to give probabilities.*give from_logits"):
        Distiller(network(4), teacher).soft_targets(x)
    student = Distiller(hidden_softmax(network(4)), expert())
    student.compile("sgd")
    with pytest.raises(ValueError, match=r"the student .* seems to give probabilities"):
        student.fit(x, labels, verbose=0)
    expected = Distiller(network(4), expert()).soft_targets(x)
    found = Distiller(network(4), teacher, from_logits=[True, False]).soft_targets(x)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_from_logits_overrules_what_is_seen(mode):
    x, _ = blobs(10)
    teacher = ended(expert(), "dense")
    found = Distiller(network(4), teacher, temperature=2, from_logits=True).soft_targets(x)
    np.testing.assert_allclose(found, softmax(teacher.predict(x, verbose=0), 2), atol=1e-6)


def test_another_temperature_at_the_end_of_a_model_is_refused():
    inputs = tf.keras.Input((2,))
    teacher = tf.keras.Model(inputs, TemperatureSoftmax(4.0)(expert()(inputs)))
    with pytest.raises(ValueError, match="ends in TemperatureSoftmax: give the model without that layer"):
        Distiller(network(4), teacher)


def test_teacher_that_answers_with_nan_is_told():
    teacher = expert(float("nan"))
    with pytest.raises(ValueError, match=r"a teacher .* answers with NaN"):
        Distiller(network(4), teacher).soft_targets(np.ones((2, 2), "float32"))


def dataset(*arrays, batch_size=16):
    return tf.data.Dataset.from_tensor_slices(arrays if len(arrays) > 1 else arrays[0]).batch(batch_size)


class Sequence(tf.keras.utils.Sequence):
    def __init__(self, *arrays):
        super().__init__()
        self.arrays = arrays

    def __len__(self):
        return len(self.arrays[0]) // 16

    def __getitem__(self, number):
        parts = tuple(each[16 * number : 16 * number + 16] for each in self.arrays)
        return parts if len(parts) > 1 else parts[0]


def generator(*arrays):
    """All in one batch, and many of them: TensorFlow 1.15 takes them ahead, and in an order of its own."""
    return (arrays for _ in range(40))


@pytest.mark.parametrize("kind", [dataset, Sequence, generator])
def test_batches_teach_what_arrays_do(mode, kind):
    x, labels = blobs(64)
    some = np.where(np.arange(64) % 4, -1, labels)
    weights = np.linspace(0.5, 2, 64).astype("float32")
    start = network(8).get_weights()
    found = []
    for batches in (False, True):
        student = network(8)
        student.set_weights(start)
        distiller = Distiller(student, [expert(1.0), ended(expert(4.0), "dense")], temperature=2, alpha=0.3)
        distiller.compile(tf.keras.optimizers.SGD(0.1))
        options = {"epochs": 2, "verbose": 0, "shuffle": False, "class_weight": {0: 3.0, 2: 0.5}}
        if batches:
            data, steps = kind(x, some, weights), {"steps_per_epoch": 1} if kind is generator else {}
            history = distiller.fit(data, **steps, **options)
        else:
            history = distiller.fit(
                x, some, sample_weight=weights, batch_size=64 if kind is generator else 16, **options
            )
        found.append((history.history["loss"], history.history["accuracy"], student.get_weights()))
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-4)
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-4)
    for one, two in zip(found[0][2], found[1][2]):
        np.testing.assert_allclose(one, two, atol=1e-5)


@pytest.mark.parametrize("kind", [dataset, Sequence])
def test_batches_without_labels_teach_too_and_leave_the_teacher_as_it_was(mode, kind):
    x, labels = blobs(256)
    teacher, student = expert(), network(8)
    before = teacher.get_weights()
    distiller = Distiller(student, teacher, temperature=2)
    distiller.compile(tf.keras.optimizers.Adam(0.02))
    history = distiller.fit(kind(x), epochs=12, verbose=0)
    assert np.isnan(history.history["accuracy"]).all()
    assert accuracy(student, x, labels) > accuracy(teacher, x, labels) - 0.05
    for old, new in zip(before, teacher.get_weights()):
        np.testing.assert_array_equal(old, new)


def test_augmented_images_are_taught_as_they_are_then(mode):
    """Each step's noise is other: the student sees far more points than there are, and the teacher answers for those."""
    x, _ = blobs(32)
    noisy = dataset(x, np.full(32, -1)).map(lambda t, y: (t + tf.random.normal(tf.shape(t), stddev=0.7, seed=5), y))
    student = network(8)
    distiller = Distiller(student, expert(), temperature=2)
    distiller.compile(tf.keras.optimizers.Adam(0.02))
    distiller.fit(noisy.repeat(), steps_per_epoch=30, epochs=8, verbose=0)
    others, truth = blobs(400, seed=5)
    assert accuracy(student, others, truth) > accuracy(expert(), others, truth) - 0.04


@pytest.mark.parametrize("kind", ["arrays of three", "dataset", "arrays beside a dataset"])
def test_validation_data(mode, kind):
    x, labels = blobs(96)
    student = expert(1.0)
    distiller = Distiller(student, expert(), temperature=2)
    distiller.compile(tf.keras.optimizers.SGD(0.0))
    right = student.predict(x, verbose=0).argmax(axis=1) == labels
    weights = np.where(np.arange(96) % 3, 1.0, 0.0).astype("float32")
    if kind == "arrays of three":
        history = distiller.fit(x, labels, validation_data=(x, labels, weights), batch_size=16, verbose=0)
    elif kind == "dataset":
        history = distiller.fit(x, labels, validation_data=dataset(x, labels), batch_size=16, verbose=0)
    else:
        history = distiller.fit(dataset(x, labels), validation_data=(x, labels), verbose=0)
    assert history.history["val_accuracy"][0] == pytest.approx(right.mean(), abs=1e-6)
    plain = kind != "arrays of three"
    assert (history.history["val_loss"][0] == pytest.approx(history.history["loss"][0], rel=1e-4)) == plain


def test_class_weights_weigh_the_labelled_alone(mode):
    """As sample weights do that are 1 where there is no label."""
    x, labels = blobs(40)
    some = np.where(np.arange(40) % 3, labels, -1)
    start = network(4).get_weights()
    found = []
    for given in (
        {"class_weight": {0: 2.0, 1: 0.25}},
        {"sample_weight": np.select([some == 0, some == 1], [2.0, 0.25], 1.0)},
    ):
        student = network(4)
        student.set_weights(start)
        distiller = Distiller(student, expert())
        distiller.compile(tf.keras.optimizers.SGD(0.1))
        distiller.fit(x, some, epochs=2, batch_size=40, verbose=0, **given)
        found.append(student.get_weights())
    for one, two in zip(*found):
        np.testing.assert_allclose(one, two, atol=1e-6)
    assert max(np.abs(one - old).max() for one, old in zip(found[0], start)) > 1e-3


def without_class_1(model):
    """The model with the logit of class 1 at minus infinity."""
    masked = tf.keras.layers.Lambda(lambda z: z + tf.constant([0, -np.inf, 0], "float32"))
    return tf.keras.Sequential([model, masked])


@pytest.mark.parametrize("form", ["cross-entropy", "kl"])
@pytest.mark.parametrize("batches", [False, True])
def test_models_that_mask_a_class_are_taught_about_the_others(mode, batches, form):
    x, labels = blobs(96)
    some = np.where(labels == 1, -1, labels)
    teacher, student = without_class_1(expert()), without_class_1(network(8))
    distiller = Distiller(student, teacher, temperature=2, alpha=0.2, form=form)
    np.testing.assert_array_equal(distiller.soft_targets(x)[:, 1], np.zeros(96))
    distiller.compile(tf.keras.optimizers.Adam(0.02))
    data = (dataset(x, some),) if batches else (x, some)
    history = distiller.fit(*data, epochs=10, **({} if batches else {"batch_size": 16}), verbose=0).history
    assert np.isfinite(history["loss"]).all() and history["loss"][-1] < history["loss"][0]
    assert accuracy(student, x[some >= 0], some[some >= 0]) > 0.9


@pytest.mark.parametrize("form, value", [("cross-entropy", 0.5), ("kl", 0.0)])
def test_loss_of_a_student_that_equals_the_teacher(mode, form, value):
    x, labels = blobs(40)
    distiller = Distiller(expert(), expert(), temperature=2, alpha=0, form=form)
    distiller.compile(tf.keras.optimizers.SGD(0.0))
    loss = distiller.fit(x, labels, verbose=0).history["loss"][0]
    assert loss == pytest.approx(0, abs=1e-5) if form == "kl" else loss > value


@pytest.mark.parametrize("y", [[0, 2, -1, 1], [[0], [2], [-1], [1]], [[1, 0, 0], [0, 0, 1], [0, 0, 0], [0, 1, 0]]])
def test_labels_come_in_three_shapes(y):
    expected = [[1, 0, 0], [0, 0, 1], [0, 0, 0], [0, 1, 0]]
    np.testing.assert_array_equal(one_hot_labels(y, 4, 3), expected)
