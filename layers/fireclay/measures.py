"""Performance measures that scikit-learn lacks, and a summary of those that it has. Needs no TensorFlow.

Throughout, y_true is (examples,) or (examples, 1): 0 and 1, or -1 and 1, or any two labels with pos_label; y_score is of
one of the same shapes, finite numbers, larger for a likelier positive; an example is called positive where
y_score >= threshold; sample_weight is (examples,), 0 or more. Costs are of one error, in any unit; a right answer costs 0.
ValueError says what is wrong with any of them. `fireclay.plots` takes the same arguments, and refuses the same ones.
"""

import collections
import math
import numbers
from typing import Any, Dict, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import sklearn.metrics

from fireclay import _scored
from fireclay._array import Array
from fireclay._scored import one_against_rest

__all__ = [
    "Choice",
    "confusion_matrix",
    "cost_curve",
    "cost_optimal_threshold",
    "cost_weighted_accuracy",
    "lift_at",
    "lift_curve",
    "majority_accuracy",
    "multiclass_summary",
    "one_against_rest",
    "prevalence",
    "summary",
    "theoretical_threshold",
]

Choice = NamedTuple("Choice", [("threshold", float), ("cost", float)])
Choice.__doc__ = """A threshold, and the mean cost of an example at it."""


def _costs(fp_cost: float, fn_cost: float) -> Tuple[float, float, float]:
    """(fp, fn, unit): the costs in a unit that makes the larger one 1, so that no sum of them overflows."""
    for name, cost in (("fp_cost", fp_cost), ("fn_cost", fn_cost)):
        if isinstance(cost, bool) or not isinstance(cost, numbers.Real) or not 0 <= cost < math.inf:
            raise ValueError("{} must be 0 or more, got {!r}".format(name, cost))
    unit = float(max(fp_cost, fn_cost))
    if not unit:
        raise ValueError("one of fp_cost and fn_cost must be above 0")
    return fp_cost / unit, fn_cost / unit, unit


def prevalence(y_true: Any, pos_label: Any = None, sample_weight: Any = None) -> float:
    """The share of positives."""
    labels = _scored.binary("y_true", y_true, pos_label)
    return float(np.average(labels, weights=_scored.weights(sample_weight, len(labels))))


def majority_accuracy(y_true: Any, sample_weight: Any = None) -> float:
    """The accuracy of always giving the commonest answer, of any number of classes: what an accuracy is to be compared
    with. Some call it the base rate; it is not the prevalence."""
    labels = _scored.column("y_true", y_true)
    weights = _scored.weights(sample_weight, len(labels))
    return float(max(weights[labels == label].sum() for label in _scored.distinct("y_true", labels)) / weights.sum())


def cost_weighted_accuracy(
    y_true: Any,
    y_pred: Any,
    fp_cost: float = 1.0,
    fn_cost: float = 1.0,
    pos_label: Any = None,
    sample_weight: Any = None,
) -> float:
    """1 less the cost of the errors, as a share of what it costs to err always; 1 is best, 0 worst.

    y_pred are labels like y_true. With equal costs it is the accuracy. NaN where no possible error has a cost.
    """
    labels, answers = (
        _scored.binary(name, values, pos_label) for name, values in (("y_true", y_true), ("y_pred", y_pred))
    )
    if labels.shape != answers.shape:
        raise ValueError("y_true and y_pred must be of one length, got {} and {}".format(len(labels), len(answers)))
    fp, fn, _ = _costs(fp_cost, fn_cost)
    costs = np.where(labels == 1, fn, fp) * _scored.weights(sample_weight, len(labels))
    return float(np.sum(costs * (labels == answers)) / costs.sum()) if costs.any() else math.nan


def cost_curve(
    y_true: Any,
    y_score: Any,
    fp_cost: float = 1.0,
    fn_cost: float = 1.0,
    pos_label: Any = None,
    sample_weight: Any = None,
) -> Tuple[Array, Array]:
    """(thresholds, costs): each distinct score as threshold, from +infinity (none is called positive) down, and the
    mean cost of an example there."""
    examples = _scored.scored(y_true, y_score, pos_label, sample_weight)
    fp, fn, unit = _costs(fp_cost, fn_cost)
    curve = _scored.ranked(examples)
    errors = fp * (curve.called - curve.true_positives) + fn * (curve.true_positives[-1] - curve.true_positives)
    # A mean of at most 1, save for rounding, which must not take it past the largest number.
    return curve.thresholds, np.minimum(errors / curve.called[-1], 1.0) * unit


def cost_optimal_threshold(
    y_true: Any,
    y_score: Any,
    fp_cost: float = 1.0,
    fn_cost: float = 1.0,
    pos_label: Any = None,
    sample_weight: Any = None,
) -> Choice:
    """Choice(threshold, cost): the threshold of least mean cost on these examples, the highest of several.

    It is chosen on the examples given: choose on some and report on others. For scores that are calibrated
    probabilities theoretical_threshold needs no examples.
    """
    thresholds, costs = cost_curve(y_true, y_score, fp_cost, fn_cost, pos_label, sample_weight)
    # Sums of costs taken in another order may differ in the last bit: those are equal.
    best = int(np.argmax(costs * (1 - 1e-12) <= costs.min()))
    return Choice(float(thresholds[best]), float(costs[best]))


def theoretical_threshold(fp_cost: float = 1.0, fn_cost: float = 1.0) -> float:
    """The optimal threshold for calibrated probabilities, fp / (fp + fn) (Elkan, "The Foundations of
    Cost-Sensitive Learning", 2001)."""
    fp, fn, _ = _costs(fp_cost, fn_cost)
    return fp / (fp + fn)


def lift_at(y_true: Any, y_score: Any, fraction: float, pos_label: Any = None, sample_weight: Any = None) -> float:
    """How many times more positives the best-scored fraction holds than one drawn at random.

    Where the fraction ends inside an example, that share of it counts; inside a run of equal scores, the mean over all
    their orders: the result does not depend on the order of the examples. ValueError without a positive.
    """
    return float(lift_curve(y_true, y_score, pos_label, sample_weight, fractions=[fraction])[1][0])


def lift_curve(
    y_true: Any,
    y_score: Any,
    pos_label: Any = None,
    sample_weight: Any = None,
    fractions: Any = None,
) -> Tuple[Array, Array]:
    """(fractions, lifts) at the end of each run of equal scores, from the best to the whole, or at `fractions`.

    Between those ends the lift is no straight line: give the fractions to draw, as plot_lift does.
    """
    curve = _scored.ranked(_scored.scored(y_true, y_score, pos_label, sample_weight))
    if not curve.true_positives[-1]:
        raise ValueError("y_true holds only negative examples: a lift needs a positive one")
    ends = curve.called / curve.called[-1]
    taken = ends[1:] if fractions is None else _scored.numbers("fractions", fractions)
    for fraction in taken:
        if not 0 < fraction <= 1:
            raise ValueError("fraction must be above 0 and at most 1, got {!r}".format(float(fraction)))
    # The share of positives is linear within a run: the mean over its orders.
    return taken, np.interp(taken, ends, curve.true_positives / curve.true_positives[-1]) / taken


Measures = Dict[str, Any]


def _at_answers(labels: Array, answers: Array, beta: float, weights: Array) -> Measures:
    given = {"sample_weight": weights, "zero_division": 0}
    return collections.OrderedDict(
        [
            ("precision", float(sklearn.metrics.precision_score(labels, answers, **given))),
            ("recall", float(sklearn.metrics.recall_score(labels, answers, **given))),
            ("F{:g}".format(beta), float(sklearn.metrics.fbeta_score(labels, answers, beta=beta, **given))),
        ]
    )


def _of_ranks(examples: _scored.Scored, fraction: float) -> Measures:
    labels, scores, weights = examples
    precision = float(sklearn.metrics.average_precision_score(labels, scores, sample_weight=weights))
    return collections.OrderedDict(
        [
            ("ROC AUC", float(sklearn.metrics.roc_auc_score(labels, scores, sample_weight=weights))),
            ("PR AUC", precision),
            ("average precision", precision),
            ("lift at {:g}".format(fraction), lift_at(labels, scores, fraction, sample_weight=weights)),
        ]
    )


def confusion_matrix(
    y_true: Any,
    y_score: Any,
    threshold: float = 0.5,
    pos_label: Any = None,
    sample_weight: Any = None,
    labels: Optional[Sequence[Any]] = None,
) -> Array:
    """Counts, or sums of weights where weights are given, in an array with a row for each truth and a column for each
    answer: [[TN, FP], [FN, TP]] at the threshold.

    With y_score of (examples, classes) it is of several classes, with `labels` as for multiclass_summary; threshold and
    pos_label do not count then.
    """
    if np.ndim(y_score) == 2 and np.shape(y_score)[1] > 1:
        truth, scores, names = _scored.classes(y_true, y_score, labels)
        answers = np.asarray(names)[scores.argmax(axis=1)]
        weights = _scored.weights(sample_weight, len(truth))
    else:
        truth, scores, weights = _scored.scored(y_true, y_score, pos_label, sample_weight)
        answers, names = (scores >= threshold).astype(int), [0, 1]
    given = None if sample_weight is None else weights
    counts: Array = sklearn.metrics.confusion_matrix(truth, answers, labels=names, sample_weight=given)
    return counts


def summary(
    y_true: Any,
    y_score: Any,
    threshold: float = 0.5,
    fp_cost: float = 1.0,
    fn_cost: float = 1.0,
    beta: float = 1.0,
    fraction: float = 0.1,
    pos_label: Any = None,
    sample_weight: Any = None,
) -> Measures:
    """All measures at a threshold, a dict from name to number; "confusion matrix" is [[TN, FP], [FN, TP]].

    "PR AUC" is the average precision: the area below the steps of the precision-recall curve. Straight lines between
    its points would claim precisions that no threshold gives. Precision is 0 where nothing is called positive.

    ValueError where y_true holds one class only: the curves have no meaning then.
    """
    examples = _scored.scored(y_true, y_score, pos_label, sample_weight, both=True)
    labels, scores, weights = examples
    answers = (scores >= threshold).astype(int)
    counts = confusion_matrix(labels, scores, threshold, sample_weight=None if sample_weight is None else weights)
    costs: Dict[str, Any] = {"fp_cost": fp_cost, "fn_cost": fn_cost, "sample_weight": weights}
    found: Measures = collections.OrderedDict(
        [
            ("confusion matrix", counts.tolist()),
            ("accuracy", float(sklearn.metrics.accuracy_score(labels, answers, sample_weight=weights))),
            ("majority accuracy", majority_accuracy(labels, weights)),
            ("prevalence", prevalence(labels, sample_weight=weights)),
            ("cost-weighted accuracy", cost_weighted_accuracy(labels, answers, **costs)),
            ("cost-optimal threshold", cost_optimal_threshold(labels, scores, **costs).threshold),
        ]
    )
    found.update(_at_answers(labels, answers, beta, weights))
    found.update(_of_ranks(examples, fraction))
    return found


def multiclass_summary(
    y_true: Any,
    y_score: Any,
    labels: Optional[Sequence[Any]] = None,
    beta: float = 1.0,
    fraction: float = 0.1,
    sample_weight: Any = None,
) -> Measures:
    """The measures of several classes, each against the rest, and their means.

    Args:
        y_true: (examples,), each one of the labels.
        y_score: (examples, classes), larger for a likelier class; the answer is the class of the largest score, the
            first of several.
        labels: each column's label; unless given the distinct ones of y_true, sorted, as in scikit-learn's `classes_`.
        beta, fraction, sample_weight: as for summary.

    Returns:
        A dict: "confusion matrix" (rows: truth; columns: answers), "accuracy", "majority accuracy"; "classes", a dict
        from each label to its measures; "macro", their means, and "weighted", their means weighted by how common a
        class is.

    Raises:
        ValueError: a class without an example, or labels, scores or weights that are not what they should be.
    """
    truth, scores, names = _scored.classes(y_true, y_score, labels)
    weights = _scored.weights(sample_weight, len(truth))
    answers = np.asarray(names)[scores.argmax(axis=1)]
    classes: Measures = collections.OrderedDict()
    for name, positive, score in one_against_rest(truth, scores, names):
        try:
            examples = _scored.scored(positive, score, sample_weight=weights, both=True)
        except ValueError as error:
            raise ValueError("class {!r} against the rest: {}".format(name, error)) from error
        classes[name] = collections.OrderedDict([("prevalence", prevalence(positive, sample_weight=weights))])
        classes[name].update(_at_answers(positive, (answers == name).astype(int), beta, weights))
        classes[name].update(_of_ranks(examples, fraction))
    shares = [each["prevalence"] for each in classes.values()]
    means = {
        kind: collections.OrderedDict(
            (name, float(np.average([each[name] for each in classes.values()], weights=shares_of_kind)))
            for name in next(iter(classes.values()))
            if name != "prevalence"
        )
        for kind, shares_of_kind in (("macro", None), ("weighted", shares))
    }
    return collections.OrderedDict(
        [
            ("confusion matrix", confusion_matrix(truth, scores, sample_weight=sample_weight, labels=names).tolist()),
            ("accuracy", float(sklearn.metrics.accuracy_score(truth, answers, sample_weight=weights))),
            ("majority accuracy", majority_accuracy(truth, weights)),
            ("macro", means["macro"]),
            ("weighted", means["weighted"]),
            ("classes", classes),
        ]
    )
