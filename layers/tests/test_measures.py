"""The measures against scikit-learn, brute force and small cases by hand."""

import itertools
import math

import numpy as np
import pytest

metrics = pytest.importorskip("sklearn.metrics")

from fireclay import measures


def scored(count=200, distinct=None, seed=10):
    """Labels and scores that know something of them; with few distinct scores there are many ties."""
    random = np.random.RandomState(seed)
    labels = (random.uniform(size=count) < 0.3).astype(int)
    scores = 1 / (1 + np.exp(-random.normal(2 * labels - 1, 1.2)))
    return labels, scores if distinct is None else np.round(scores * distinct) / distinct


def test_base_rate_is_the_commoner_answers_accuracy():
    assert measures.base_rate([0, 0, 0, 1]) == 0.75
    assert measures.base_rate([1, 1, 1, 0]) == 0.75
    assert measures.base_rate([1]) == 1


@pytest.mark.parametrize("fp, fn", [(1, 1), (1, 10), (3, 0), (0, 2)])
def test_cost_weighted_accuracy_is_scikit_learns_with_weights(fp, fn):
    labels, scores = scored()
    answers = (scores > 0.4).astype(int)
    expected = metrics.accuracy_score(labels, answers, sample_weight=np.where(labels, fn, fp))
    assert measures.cost_weighted_accuracy(labels, answers, fp, fn) == pytest.approx(expected, abs=1e-12)


def test_cost_weighted_accuracy_where_nothing_can_cost():
    assert math.isnan(measures.cost_weighted_accuracy([0, 0], [1, 0], fp_cost=0, fn_cost=1))


def cost_at(labels, scores, threshold, fp, fn):
    (_, fps), (fns, _) = metrics.confusion_matrix(labels, (scores >= threshold).astype(int), labels=[0, 1])
    return (fp * fps + fn * fns) / len(labels)


@pytest.mark.parametrize("distinct", [None, 5])
@pytest.mark.parametrize("fp, fn", [(1, 1), (1, 20), (20, 1), (1, 0), (0.3, 0.7)])
def test_cost_optimal_threshold_is_the_highest_of_the_best(fp, fn, distinct):
    labels, scores = scored(distinct=distinct)
    candidates = [math.inf, *sorted(set(scores), reverse=True)]
    costs = [cost_at(labels, scores, threshold, fp, fn) for threshold in candidates]
    best = measures.cost_optimal_threshold(labels, scores, fp, fn)
    assert best.cost == pytest.approx(min(costs), abs=1e-12)
    assert best.threshold == candidates[int(np.argmax(np.array(costs) <= min(costs) + 1e-12))]
    thresholds, curve = measures.cost_curve(labels, scores, fp, fn)
    assert thresholds.tolist() == candidates
    np.testing.assert_allclose(curve, costs, atol=1e-12)


def test_threshold_of_calibrated_scores_comes_near_the_theoretical():
    random = np.random.RandomState(11)
    scores = random.uniform(size=200000)
    labels = (random.uniform(size=200000) < scores).astype(int)
    for fp, fn in [(1, 1), (1, 4), (3, 1)]:
        theory = measures.theoretical_threshold(fp, fn)
        assert theory == fp / (fp + fn)
        assert measures.cost_optimal_threshold(labels, scores, fp, fn).threshold == pytest.approx(theory, abs=0.03)


def test_lift_by_hand():
    labels, scores = [1, 1, 0, 1, 0, 0, 0, 0, 0, 1], [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05]
    assert measures.lift_at(labels, scores, 0.2) == pytest.approx(1 / 0.4)
    assert measures.lift_at(labels, scores, 0.3) == pytest.approx((2 / 3) / 0.4)
    assert measures.lift_at(labels, scores, 0.25) == measures.lift_at(labels, scores, 0.3)
    assert measures.lift_at(labels, scores, 1) == pytest.approx(1)
    assert measures.lift_at(labels, scores, 0.01) == pytest.approx(1 / 0.4)


def test_lift_among_equal_scores_is_the_mean_over_their_orders():
    labels, scores = np.array([1, 0, 1, 0, 0, 1]), np.array([3, 2, 2, 2, 2, 1.0])
    for taken in range(1, 7):
        lifts = []
        for order in itertools.permutations(range(6)):
            if np.all(np.diff(scores[list(order)]) <= 0):
                lifts.append(labels[list(order)][:taken].mean() / labels.mean())
        assert len(lifts) == 24
        assert measures.lift_at(labels, scores, taken / 6) == pytest.approx(np.mean(lifts), abs=1e-12)


def test_lift_does_not_depend_on_the_order_of_examples():
    labels, scores = scored(distinct=4)
    mixed = np.random.RandomState(12).permutation(len(labels))
    for fraction in (0.05, 0.1, 0.33, 0.8):
        one = measures.lift_at(labels, scores, fraction)
        assert measures.lift_at(labels[mixed], scores[mixed], fraction) == pytest.approx(one, abs=1e-12)


def test_lift_curve_is_lift_at_each_score():
    labels, scores = scored(distinct=20)
    fractions, lifts = measures.lift_curve(labels, scores)
    assert len(fractions) == len(set(scores)) and fractions[-1] == 1 and lifts[-1] == pytest.approx(1)
    for fraction, lift in zip(fractions, lifts):
        assert measures.lift_at(labels, scores, fraction) == pytest.approx(lift)


def test_lift_without_positives_is_nan():
    assert math.isnan(measures.lift_at([0, 0], [0.1, 0.2], 0.5))


@pytest.mark.parametrize("beta", [0.5, 1, 2])
@pytest.mark.parametrize("distinct", [None, 8])
def test_summary_is_scikit_learns(distinct, beta):
    labels, scores = scored(distinct=distinct)
    answers = (scores >= 0.5).astype(int)
    fpr, tpr, _ = metrics.roc_curve(labels, scores)
    precision, recall, _ = metrics.precision_recall_curve(labels, scores)
    found = measures.summary(labels, scores, beta=beta, fp_cost=1, fn_cost=5, fraction=0.2)
    expected = {
        "accuracy": metrics.accuracy_score(labels, answers),
        "precision": metrics.precision_score(labels, answers),
        "recall": metrics.recall_score(labels, answers),
        "F{:g}".format(beta): metrics.fbeta_score(labels, answers, beta=beta),
        "ROC AUC": metrics.auc(fpr, tpr),
        "PR AUC": metrics.auc(recall, precision),
        "average precision": metrics.average_precision_score(labels, scores),
        "base rate": max(labels.mean(), 1 - labels.mean()),
        "lift at 0.2": measures.lift_at(labels, scores, 0.2),
        "cost-weighted accuracy": measures.cost_weighted_accuracy(labels, answers, 1, 5),
        "cost-optimal threshold": measures.cost_optimal_threshold(labels, scores, 1, 5).threshold,
    }
    assert found.pop("confusion matrix") == metrics.confusion_matrix(labels, answers).tolist()
    assert dict(found) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: measures.base_rate([]), "y_true must be one or more values of 0 and 1"),
        (lambda: measures.base_rate([0, 2]), "y_true must be one or more values of 0 and 1"),
        (lambda: measures.lift_at([0, 1], [0.5], 0.1), "y_score must be 2 finite numbers"),
        (lambda: measures.lift_at([0, 1], [0.5, math.nan], 0.1), "y_score must be 2 finite numbers"),
        (lambda: measures.lift_at([0, 1], [0.5, 0.6], 0), "fraction must be above 0 and at most 1, got 0"),
        (lambda: measures.cost_optimal_threshold([0, 1], [0.5, 0.6], -1), "fp_cost must be 0 or more, got -1"),
        (lambda: measures.theoretical_threshold(0, 0), "one of fp_cost and fn_cost must be above 0"),
        (lambda: measures.cost_weighted_accuracy([0, 1], [1]), "must be of one length, got 2 and 1"),
        (lambda: measures.summary([1, 1], [0.1, 0.2]), "y_true holds only the class 1"),
    ],
)
def test_wrong_arguments_are_told(call, message):
    with pytest.raises(ValueError, match=message):
        call()
