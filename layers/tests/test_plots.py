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
    assert "{:.3f}".format(metrics.roc_auc_score(LABELS, SCORES)) in ax.get_title()
    called = SCORES >= threshold
    np.testing.assert_allclose(mark(ax), [called[LABELS == 0].mean(), called[LABELS == 1].mean()])


@pytest.mark.parametrize("threshold", [0.35, 0.6, 2])
def test_precision_and_recall(threshold):
    ax = plots.plot_precision_recall(LABELS, SCORES, threshold)
    precision, recall, _ = metrics.precision_recall_curve(LABELS, SCORES)
    np.testing.assert_array_equal(points(ax.lines[0]), np.column_stack([recall, precision]))
    called = SCORES >= threshold
    expected = [called[LABELS == 1].mean(), LABELS[called].mean() if called.any() else 1]
    np.testing.assert_allclose(mark(ax), expected)


def test_lift():
    ax = plots.plot_lift(LABELS, SCORES, 0.25)
    np.testing.assert_array_equal(points(ax.lines[0]), np.column_stack(measures.lift_curve(LABELS, SCORES)))
    np.testing.assert_allclose(mark(ax), [0.25, measures.lift_at(LABELS, SCORES, 0.25)])


def test_cost():
    ax = plots.plot_cost(LABELS, SCORES, 1, 3)
    best = measures.cost_optimal_threshold(LABELS, SCORES, 1, 3)
    np.testing.assert_allclose(mark(ax), best)
    assert points(ax.lines[0])[:, 1].min() == pytest.approx(best.cost)


def test_confusion_matrix_on_given_axes():
    _, axes = plt.subplots(1, 2)
    assert plots.plot_confusion_matrix(LABELS, SCORES, 0.5, ax=axes[1]) is axes[1]
    texts = {text.get_position(): int(text.get_text()) for text in axes[1].texts}
    answers = (SCORES >= 0.5).astype(int)
    expected = metrics.confusion_matrix(LABELS, answers)
    assert texts == {(column, row): expected[row, column] for row in (0, 1) for column in (0, 1)}
