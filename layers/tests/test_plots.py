"""The plots show what scikit-learn computes, with the mark where the threshold is."""

import numpy as np
import pytest

pytest.importorskip("sklearn.metrics")
plt = pytest.importorskip("matplotlib.pyplot")

import sklearn.metrics as metrics

from fireclay import measures, plots

LABELS = (np.random.RandomState(13).uniform(size=150) < 0.4).astype(int)
SCORES = np.round(np.random.RandomState(14).uniform(size=150) * 0.7 + 0.3 * LABELS, 2)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def points(line):
    return np.column_stack(line.get_data())


def mark(ax):
    (line,) = (line for line in ax.lines if line.get_marker() == "o")
    return points(line)[0]


@pytest.mark.parametrize("threshold", [0.35, 0.6])
def test_roc(threshold):
    ax = plots.plot_roc(LABELS, SCORES, threshold)
    fpr, tpr, _ = metrics.roc_curve(LABELS, SCORES)
    np.testing.assert_array_equal(points(ax.lines[0]), np.column_stack([fpr, tpr]))
    assert ax.get_title() == "ROC, area {:.3f}".format(metrics.roc_auc_score(LABELS, SCORES))
    called = SCORES >= threshold
    np.testing.assert_allclose(mark(ax), [called[LABELS == 0].mean(), called[LABELS == 1].mean()])


@pytest.mark.parametrize("threshold", [0.35, 0.6, 2])
def test_precision_and_recall(threshold):
    ax = plots.plot_precision_recall(LABELS, SCORES, threshold)
    precision, recall, _ = metrics.precision_recall_curve(LABELS, SCORES)
    np.testing.assert_array_equal(points(ax.lines[0]), np.column_stack([recall, precision]))
    called = SCORES >= threshold
    expected = [called[LABELS == 1].mean(), LABELS[called].mean() if called.any() else 0]
    np.testing.assert_allclose(mark(ax), expected)
    found = measures.summary(LABELS, SCORES, threshold)
    np.testing.assert_allclose(mark(ax), [found["recall"], found["precision"]])


def area(line):
    """What is below the line as it is drawn, from the steps' corners."""
    x, y = points(line).T
    assert line.get_drawstyle() == "steps-post" and (np.diff(x) <= 0).all()
    return float(np.sum(-np.diff(x) * y[:-1]))


@pytest.mark.parametrize("seed", range(20))
def test_title_curve_and_number_of_precision_and_recall_agree(seed):
    random = np.random.RandomState(seed)
    labels = np.concatenate([[0, 1], random.randint(0, 2, random.randint(1, 12))])
    scores = random.randint(0, 5, len(labels)) / 4
    weights = random.randint(1, 4, len(labels)) if seed % 2 else None
    ax = plots.plot_precision_recall(labels, scores, sample_weight=weights)
    number = measures.summary(labels, scores, sample_weight=weights)["PR AUC"]
    assert area(ax.lines[0]) == pytest.approx(number, abs=1e-12)
    assert ax.get_title() == "Precision and recall, AP {:.3f}".format(number)


def test_one_constant_score_is_drawn_at_the_prevalence():
    ax = plots.plot_precision_recall(np.arange(1000) < 10, np.full(1000, 0.5))
    assert ax.get_title().endswith("0.010") and area(ax.lines[0]) == pytest.approx(0.01)


def straight(line, x):
    return np.interp(x, *points(line).T)


TIED = np.array([1] * 5 + [0] * 5 + [1] * 5 + [0] * 85), np.array([0.9] * 10 + [0.1] * 90)


@pytest.mark.parametrize("fraction", [0.05, 0.1, 0.3, 0.337, 1])
@pytest.mark.parametrize("labels, scores", [(LABELS, SCORES), TIED, (LABELS, np.arange(150))])
def test_lift_has_one_value_in_line_mark_and_number(labels, scores, fraction):
    ax = plots.plot_lift(labels, scores, fraction)
    number = measures.lift_at(labels, scores, fraction)
    np.testing.assert_allclose(mark(ax), [fraction, number])
    assert straight(ax.lines[0], fraction) == pytest.approx(number, abs=1e-12)
    for place in np.linspace(0.01, 1, 37):
        assert straight(ax.lines[0], place) == pytest.approx(measures.lift_at(labels, scores, place), abs=0.02)
    for place, lift in zip(*measures.lift_curve(labels, scores)):
        assert straight(ax.lines[0], place) == pytest.approx(lift, abs=1e-12)


def test_lift_inside_a_tie_bends():
    ax = plots.plot_lift(*TIED, fraction=0.3)
    assert mark(ax)[1] == straight(ax.lines[0], 0.3) == pytest.approx(2.04, abs=0.005)


def test_cost():
    ax = plots.plot_cost(LABELS, SCORES, 1, 3)
    best = measures.cost_optimal_threshold(LABELS, SCORES, 1, 3)
    np.testing.assert_allclose(mark(ax), best)
    assert points(ax.lines[0])[:, 1].min() == pytest.approx(best.cost)


def stepped(line, x):
    """The value of the steps, which hold from each point down to the next."""
    places, values = points(line).T
    return values[np.flatnonzero(places >= x)[-1]]


@pytest.mark.parametrize("fp, fn", [(1, 3), (1e6, 1), (1e308, 1.5e308)])
def test_cost_has_one_value_in_line_and_mark(fp, fn):
    ax = plots.plot_cost(LABELS, SCORES, fp, fn)
    line = ax.lines[0]
    for threshold, cost in zip(*measures.cost_curve(LABELS, SCORES, fp, fn)):
        assert stepped(line, min(threshold, points(line)[0, 0])) == pytest.approx(cost)
    assert stepped(line, mark(ax)[0]) == pytest.approx(mark(ax)[1])


def test_cost_that_is_least_without_a_positive_answer_is_marked_beyond_the_scores():
    ax = plots.plot_cost([0, 0, 1], [0.9, 0.5, 0.1], 1, 1)
    assert mark(ax)[0] > 0.9 and mark(ax)[1] == pytest.approx(1 / 3)
    assert "threshold inf" in ax.get_legend().get_texts()[0].get_text()


PLOTS = [plots.plot_roc, plots.plot_precision_recall, plots.plot_lift, plots.plot_cost, plots.plot_confusion_matrix]


@pytest.mark.parametrize("plot", PLOTS)
@pytest.mark.parametrize(
    "labels, scores",
    [
        ([0, 1, 2], [0.1, 0.2, 0.3]),
        (["a", "b", "a"], [0.1, 0.2, 0.3]),
        ([0, 1, 0.5], [0.1, 0.2, 0.3]),
        ([0, 1, 1], [0.1, 0.2, float("nan")]),
        ([0, 1, 1], [0.1, 0.2, float("inf")]),
        ([0, 1, 1], [0.1, 0.2]),
        ([], []),
    ],
)
def test_plots_refuse_what_the_measures_refuse(plot, labels, scores):
    with pytest.raises(ValueError) as drawn:
        plot(labels, scores)
    with pytest.raises(ValueError) as measured:
        measures.summary(labels, scores)
    assert str(drawn.value) == str(measured.value)


@pytest.mark.parametrize("plot", PLOTS[:3])
@pytest.mark.parametrize("label", [0, 1])
def test_curves_of_one_class_only_are_refused(plot, label):
    if plot is plots.plot_lift and label == 1:
        assert points(plot([1, 1], [0.1, 0.2]).lines[0])[:, 1] == pytest.approx(1)
        return
    with pytest.raises(ValueError, match="y_true holds only"):
        plot([label, label], [0.1, 0.2])


@pytest.mark.parametrize("plot", PLOTS)
@pytest.mark.parametrize(
    "labels, given",
    [
        (2 * LABELS - 1, {}),
        (np.where(LABELS, "yes", "no"), {"pos_label": "yes"}),
        (LABELS[:, None], {"sample_weight": np.ones(150)}),
    ],
)
def test_every_form_of_labels_is_drawn_the_same(plot, labels, given):
    one, two = plot(LABELS, SCORES), plot(labels, SCORES[:, None], **given)
    assert one.get_title() == two.get_title()
    for first, second in zip(one.lines, two.lines):
        np.testing.assert_allclose(points(first), points(second))
    assert [float(text.get_text()) for text in one.texts] == [float(text.get_text()) for text in two.texts]


@pytest.mark.parametrize(
    "plot, marked", [(plots.plot_roc, 0.5), (plots.plot_precision_recall, 0.5), (plots.plot_lift, 0.2)]
)
def test_several_models_on_one_axes_have_names_in_a_legend(plot, marked):
    others = 1 - SCORES
    ax = plot(LABELS, SCORES, name="one")
    assert plot(LABELS, others, marked, ax=ax, name="other") is ax
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert [text.split(",")[0] for text in texts] == ["one", "other", "other"]
    if plot is plots.plot_roc:
        assert texts[0] == "one, area {:.3f}".format(metrics.roc_auc_score(LABELS, SCORES))
        assert ax.get_title() == "ROC"
    lines = [line for line in ax.lines if line.get_label() in texts]
    assert lines[0].get_color() != lines[1].get_color() == lines[2].get_color()


def test_costs_of_several_models():
    ax = plots.plot_cost(LABELS, SCORES, name="one")
    plots.plot_cost(LABELS, 1 - SCORES, ax=ax, name="other")
    assert [text.get_text().split(",")[0] for text in ax.get_legend().get_texts()] == ["one", "one", "other", "other"]


def test_confusion_matrix_of_several_classes():
    truth, scores = np.array(["b", "a", "c", "a"]), np.eye(3)[[1, 0, 0, 0]]
    ax = plots.plot_confusion_matrix(truth, scores)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a", "b", "c"]
    texts = {text.get_position(): int(text.get_text()) for text in ax.texts}
    expected = metrics.confusion_matrix(truth, ["b", "a", "a", "a"])
    assert texts == {(column, row): expected[row, column] for row in range(3) for column in range(3)}
    assert ax.get_title() == "Answers"


def test_confusion_matrix_on_given_axes():
    _, axes = plt.subplots(1, 2)
    assert plots.plot_confusion_matrix(LABELS, SCORES, 0.5, ax=axes[1]) is axes[1]
    texts = {text.get_position(): int(text.get_text()) for text in axes[1].texts}
    answers = (SCORES >= 0.5).astype(int)
    expected = metrics.confusion_matrix(LABELS, answers)
    assert texts == {(column, row): expected[row, column] for row in (0, 1) for column in (0, 1)}
