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


def test_majority_accuracy_is_the_commonest_answers_and_prevalence_the_share_of_positives():
    assert measures.majority_accuracy([0, 0, 0, 1]) == 0.75
    assert measures.prevalence([0, 0, 0, 1]) == 0.25
    assert measures.majority_accuracy([1, 1, 1, 0]) == measures.prevalence([1, 1, 1, 0]) == 0.75
    assert measures.majority_accuracy(["a", "b", "c", "b"]) == 0.5
    assert measures.majority_accuracy([0, 0, 0, 1], sample_weight=[1, 1, 1, 9]) == 0.75
    assert measures.prevalence(["cat", "dog"], "dog", sample_weight=[1, 3]) == 0.75
    assert not hasattr(measures, "base_rate")


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
    # Half of the third example, which is a negative one.
    assert measures.lift_at(labels, scores, 0.25) == pytest.approx((2 / 2.5) / 0.4)
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


def test_lift_inside_a_run_of_equal_scores_is_not_on_a_straight_line():
    labels, scores = [1] * 5 + [0] * 5 + [1] * 5 + [0] * 85, [0.9] * 10 + [0.1] * 90
    assert measures.lift_at(labels, scores, 0.3) == pytest.approx((5 + 5 * 20 / 90) / 30 / 0.1)
    assert measures.lift_at(labels, scores, 0.3) == pytest.approx(2.04, abs=0.005)


@pytest.mark.parametrize("beta", [0.5, 1, 2])
@pytest.mark.parametrize("distinct", [None, 8])
def test_summary_is_scikit_learns(distinct, beta):
    labels, scores = scored(distinct=distinct)
    answers = (scores >= 0.5).astype(int)
    fpr, tpr, _ = metrics.roc_curve(labels, scores)
    found = measures.summary(labels, scores, beta=beta, fp_cost=1, fn_cost=5, fraction=0.2)
    expected = {
        "accuracy": metrics.accuracy_score(labels, answers),
        "precision": metrics.precision_score(labels, answers),
        "recall": metrics.recall_score(labels, answers),
        "F{:g}".format(beta): metrics.fbeta_score(labels, answers, beta=beta),
        "ROC AUC": metrics.auc(fpr, tpr),
        "PR AUC": metrics.average_precision_score(labels, scores),
        "average precision": metrics.average_precision_score(labels, scores),
        "majority accuracy": max(labels.mean(), 1 - labels.mean()),
        "prevalence": labels.mean(),
        "lift at 0.2": measures.lift_at(labels, scores, 0.2),
        "cost-weighted accuracy": measures.cost_weighted_accuracy(labels, answers, 1, 5),
        "cost-optimal threshold": measures.cost_optimal_threshold(labels, scores, 1, 5).threshold,
    }
    assert found.pop("confusion matrix") == metrics.confusion_matrix(labels, answers).tolist()
    assert dict(found) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: measures.prevalence([]), "y_true must be one or more values in one axis"),
        (lambda: measures.prevalence([0, 2]), "y_true holds 0 and 2: say with pos_label which label is the positive"),
        (lambda: measures.prevalence([0, 1, 2]), "y_true holds 3 different labels"),
        (lambda: measures.prevalence(["no", "yes"]), "y_true holds 'no' and 'yes': say with pos_label"),
        (lambda: measures.prevalence(["no", "yes"], "maybe"), "pos_label 'maybe' is not in y_true"),
        (lambda: measures.prevalence([0, math.nan]), "none that is missing"),
        (lambda: measures.prevalence(["no", None]), "none that is missing"),
        (lambda: measures.prevalence([0, 1], sample_weight=[1]), "sample_weight must be 2 numbers of 0 or more"),
        (lambda: measures.prevalence([0, 1], sample_weight=[1, -1]), "sample_weight must be 2 numbers of 0 or more"),
        (lambda: measures.prevalence([0, 1], sample_weight=[0, 0]), "not all 0"),
        (lambda: measures.prevalence([0, 1], sample_weight=[1, math.inf]), "sample_weight must be finite numbers"),
        (lambda: measures.lift_at([0, 1], ["a", "b"], 0.1), "y_score must be finite numbers"),
        (lambda: measures.lift_at([0, 1], [[0.1, 0.9], [0.2, 0.8]], 0.1), "y_score has 2 columns"),
        (lambda: measures.lift_at([0, 0], [0.1, 0.2], 0.5), "a lift needs a positive one"),
        (lambda: measures.lift_at([0, 1], [0.1, 0.2], "a"), "fractions must be finite numbers"),
        (lambda: measures.theoretical_threshold("1", 1), "fp_cost must be 0 or more, got '1'"),
        (lambda: measures.theoretical_threshold(math.inf, 1), "fp_cost must be 0 or more, got inf"),
        (lambda: measures.summary([0, 0], [0.1, 0.2]), "y_true holds only negative examples"),
        (lambda: measures.multiclass_summary([0, 1], [[1, 2, 3], [1, 2, 3]]), "y_score must be of shape .2, 2., a row"),
        (lambda: measures.multiclass_summary([0, 1], [[1, 2], [1, 2]], [0, 2]), "y_true holds 1, which is not among"),
        (lambda: measures.multiclass_summary([0, 0], [[1], [1]]), "labels must be 2 or more different labels"),
        (
            lambda: measures.multiclass_summary([0, 0], [[1, 2], [1, 2]], [0, 1]),
            "class 0 against the rest: y_true holds",
        ),
        (lambda: measures.lift_at([0, 1], [0.5], 0.1), "y_score must be 2 finite numbers"),
        (lambda: measures.lift_at([0, 1], [0.5, math.nan], 0.1), "y_score must be finite numbers"),
        (lambda: measures.lift_at([0, 1], [0.5, 0.6], 0), "fraction must be above 0 and at most 1, got 0"),
        (lambda: measures.cost_optimal_threshold([0, 1], [0.5, 0.6], -1), "fp_cost must be 0 or more, got -1"),
        (lambda: measures.theoretical_threshold(0, 0), "one of fp_cost and fn_cost must be above 0"),
        (lambda: measures.cost_weighted_accuracy([0, 1], [1]), "must be of one length, got 2 and 1"),
        (lambda: measures.summary([1, 1], [0.1, 0.2]), "y_true holds only positive examples: both kinds are"),
    ],
)
def test_wrong_arguments_are_told(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def steps(labels, scores):
    """The area below the steps of precision over recall, from the definition: at each positive found, the precision
    there; of positives with equal scores that of the whole run."""
    total = 0.0
    for score in set(scores):
        called = scores >= score
        total += labels[scores == score].sum() * labels[called].mean()
    return total / labels.sum()


@pytest.mark.parametrize("seed", range(20))
def test_average_precision_is_the_area_of_the_steps(seed):
    random = np.random.RandomState(seed)
    labels = np.concatenate([[0, 1], random.randint(0, 2, random.randint(1, 12))])
    scores = random.randint(0, 5, len(labels)) / 4
    found = measures.summary(labels, scores)
    assert found["PR AUC"] == found["average precision"] == pytest.approx(steps(labels, scores), abs=1e-12)


def test_average_precision_of_one_constant_score_is_the_prevalence():
    labels = np.arange(1000) < 10
    assert measures.summary(labels, np.full(1000, 0.5))["PR AUC"] == pytest.approx(0.01)


def test_costs_of_any_size_do_not_overflow():
    labels, scores = scored()
    small, large = (measures.cost_optimal_threshold(labels, scores, *costs) for costs in ((0.5, 1), (0.8e308, 1.6e308)))
    assert large.threshold == small.threshold
    assert large.cost == pytest.approx(small.cost * 1.6e308)
    assert measures.theoretical_threshold(1.6e308, 1.6e308) == 0.5
    answers = scores > 0.4
    assert measures.cost_weighted_accuracy(labels, answers, 1.6e308, 1.6e308) == pytest.approx(
        (labels == answers).mean()
    )
    assert measures.cost_curve([0, 1], [1, 0], 1.7e308, 1.7e308)[1].tolist() == [0.85e308, 1.7e308, 0.85e308]


def test_precision_where_nothing_is_called_positive_is_scikit_learns_0():
    found = measures.summary([0, 1, 1], [0.1, 0.2, 0.3], threshold=2)
    assert found["precision"] == found["recall"] == found["F1"] == 0


FORMS = [
    ("column", lambda y, s: ((y, s[:, None]), {})),
    ("columns", lambda y, s: ((y[:, None], s[:, None].astype("float32").astype(float)), {})),
    ("minus one", lambda y, s: ((2 * y - 1, s), {})),
    ("bools", lambda y, s: ((y == 1, s), {})),
    ("strings", lambda y, s: ((np.where(y, "yes", "no"), s), {"pos_label": "yes"})),
    ("objects", lambda y, s: ((np.where(y, "yes", "no").astype(object), s.tolist()), {"pos_label": "yes"})),
    ("numbers", lambda y, s: ((np.where(y, 1, 2), s), {"pos_label": 1})),
    ("weights", lambda y, s: ((y, s), {"sample_weight": np.full(len(y), 3.0)})),
]


@pytest.mark.parametrize("form", [form for _, form in FORMS], ids=[name for name, _ in FORMS])
def test_every_form_of_labels_and_scores_gives_the_same(form):
    labels, scores = scored(distinct=64)
    (y, s), given = form(labels, scores)
    expected, found = measures.summary(labels, scores, fp_cost=2), measures.summary(y, s, fp_cost=2, **given)
    factor = 3 if "sample_weight" in given else 1
    assert (np.array(expected.pop("confusion matrix")) * factor).tolist() == found.pop("confusion matrix")
    assert dict(found) == pytest.approx(dict(expected), abs=1e-12)
    assert measures.lift_at(y, s, 0.3, **given) == pytest.approx(measures.lift_at(labels, scores, 0.3))
    assert measures.cost_optimal_threshold(y, s, 1, 3, **given) == pytest.approx(
        measures.cost_optimal_threshold(labels, scores, 1, 3)
    )


def test_positives_can_be_the_other_label():
    labels, scores = scored()
    found = measures.summary(labels, -scores, -0.5, pos_label=0)
    assert found["prevalence"] == pytest.approx(1 - labels.mean())
    assert found["ROC AUC"] == pytest.approx(metrics.roc_auc_score(labels, scores))


def test_a_weight_is_so_many_examples():
    labels, scores = scored(60, distinct=8)
    weights = np.random.RandomState(3).randint(0, 4, 60)
    expected = measures.summary(np.repeat(labels, weights), np.repeat(scores, weights), fp_cost=3, fraction=0.25)
    found = measures.summary(labels, scores, fp_cost=3, fraction=0.25, sample_weight=weights)
    assert expected.pop("confusion matrix") == found.pop("confusion matrix")
    assert dict(found) == pytest.approx(dict(expected), abs=1e-12)


def several(count=120, seed=4):
    random = np.random.RandomState(seed)
    truth = random.choice(["bird", "cat", "dog"], count, p=[0.5, 0.3, 0.2])
    scores = random.normal(0, 1, (count, 3)) + 1.5 * (truth[:, None] == ["bird", "cat", "dog"])
    odds = np.exp(scores)
    return truth, odds / odds.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("weighted", [False, True])
def test_multiclass_summary_is_scikit_learns(weighted):
    truth, scores = several()
    weights = np.random.RandomState(5).uniform(0.2, 3, len(truth)) if weighted else None
    found = measures.multiclass_summary(truth, scores, beta=2, sample_weight=weights)
    answers = np.array(["bird", "cat", "dog"])[scores.argmax(axis=1)]
    for average in ("macro", "weighted"):
        given = {"average": average, "sample_weight": weights}
        expected = {
            "precision": metrics.precision_score(truth, answers, **given),
            "recall": metrics.recall_score(truth, answers, **given),
            "F2": metrics.fbeta_score(truth, answers, beta=2, **given),
            "average precision": metrics.average_precision_score(
                truth[:, None] == ["bird", "cat", "dog"], scores, **given
            ),
        }
        if not weighted:
            expected["ROC AUC"] = metrics.roc_auc_score(truth, scores, multi_class="ovr", average=average)
        assert {name: found[average][name] for name in expected} == pytest.approx(expected, abs=1e-12)
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(truth, answers, sample_weight=weights))
    expected = metrics.confusion_matrix(truth, answers, sample_weight=weights)
    np.testing.assert_allclose(found["confusion matrix"], expected)
    assert list(found["classes"]) == ["bird", "cat", "dog"]
    cat = measures.summary(truth == "cat", scores[:, 1], sample_weight=weights)
    for name in ("ROC AUC", "PR AUC", "lift at 0.1", "prevalence"):
        assert found["classes"]["cat"][name] == pytest.approx(cat[name])


def test_columns_are_in_the_order_of_labels():
    truth, scores = several()
    found = measures.multiclass_summary(truth, scores[:, [2, 0, 1]], labels=["dog", "bird", "cat"])
    expected = measures.multiclass_summary(truth, scores)
    assert found["macro"] == pytest.approx(expected["macro"]) and found["accuracy"] == expected["accuracy"]
    for name, positive, score in measures.one_against_rest(truth, scores):
        assert positive.tolist() == (truth == name).tolist()
        assert score.tolist() == scores[:, ["bird", "cat", "dog"].index(name)].tolist()
