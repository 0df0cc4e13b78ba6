"""Performance measures that scikit-learn lacks; for the rest (confusion_matrix, precision_score, recall_score,
fbeta_score, roc_curve, precision_recall_curve, auc, ...) use sklearn.metrics, as `summary` here does.

Throughout: y_true is (examples,) of 0 and 1, y_score (examples,) of finite numbers, larger for a likelier 1, and an
example is called positive where y_score >= threshold. Costs are of one error, in any unit; a right answer costs 0.
"""

import collections
import math

import numpy as np
import sklearn.metrics

Choice = collections.namedtuple("Choice", "threshold cost")


def _labels(name, values):
    values = np.asarray(values)
    if values.ndim != 1 or not len(values) or not np.isin(values, (0, 1)).all():
        raise ValueError("{} must be one or more values of 0 and 1 in one axis".format(name))
    return values.astype(int)


def _scored(y_true, y_score):
    labels, scores = _labels("y_true", y_true), np.asarray(y_score, float)
    if scores.shape != labels.shape or not np.isfinite(scores).all():
        raise ValueError("y_score must be {} finite numbers, one for each of y_true".format(len(labels)))
    return labels, scores


def _costs(fp_cost, fn_cost):
    for name, cost in (("fp_cost", fp_cost), ("fn_cost", fn_cost)):
        if not (cost >= 0 and math.isfinite(cost)):
            raise ValueError("{} must be 0 or more, got {!r}".format(name, cost))
    if fp_cost == fn_cost == 0:
        raise ValueError("one of fp_cost and fn_cost must be above 0")
    return float(fp_cost), float(fn_cost)


def base_rate(y_true):
    """The accuracy of always giving the commoner answer: what an accuracy is to be compared with."""
    share = _labels("y_true", y_true).mean()
    return float(max(share, 1 - share))


def cost_weighted_accuracy(y_true, y_pred, fp_cost=1.0, fn_cost=1.0):
    """1 less the cost of the errors, as a share of what it costs to err always; 1 is best, 0 worst.

    With equal costs it is the accuracy. NaN where no possible error has a cost.
    """
    labels, answers = _labels("y_true", y_true), _labels("y_pred", y_pred)
    if labels.shape != answers.shape:
        raise ValueError("y_true and y_pred must be of one length, got {} and {}".format(len(labels), len(answers)))
    fp_cost, fn_cost = _costs(fp_cost, fn_cost)
    weights = np.where(labels == 1, fn_cost, fp_cost)
    return float(np.sum(weights * (labels == answers)) / weights.sum()) if weights.any() else math.nan


def cost_curve(y_true, y_score, fp_cost=1.0, fn_cost=1.0):
    """(thresholds, costs): each distinct score as threshold, from +infinity (none is called positive) down, and the
    mean cost of an example there."""
    labels, scores = _scored(y_true, y_score)
    fp_cost, fn_cost = _costs(fp_cost, fn_cost)
    thresholds, true_positives, called = _ranked(labels, scores)
    errors = fp_cost * (called - true_positives) + fn_cost * (labels.sum() - true_positives)
    return thresholds, errors / len(labels)


def cost_optimal_threshold(y_true, y_score, fp_cost=1.0, fn_cost=1.0):
    """Choice(threshold, cost): the threshold of least mean cost on these examples, the highest of several.

    It is chosen on the examples given: choose on some and report on others. For scores that are calibrated
    probabilities theoretical_threshold needs no examples.
    """
    thresholds, costs = cost_curve(y_true, y_score, fp_cost, fn_cost)
    # Sums of costs taken in another order may differ in the last bit: those are equal.
    best = int(np.argmax(costs <= costs.min() * (1 + 1e-12)))
    return Choice(float(thresholds[best]), float(costs[best]))


def theoretical_threshold(fp_cost=1.0, fn_cost=1.0):
    """The optimal threshold for calibrated probabilities, fp / (fp + fn) (Elkan, "The Foundations of
    Cost-Sensitive Learning", 2001)."""
    fp_cost, fn_cost = _costs(fp_cost, fn_cost)
    return fp_cost / (fp_cost + fn_cost)


def lift_at(y_true, y_score, fraction):
    """How many times more positives the best-scored fraction holds than one drawn at random; NaN without positives.

    The fraction is rounded up to whole examples. Where the cut falls among equal scores, the expected
    number over all orders of those counts: the result does not depend on the order of the examples.
    """
    labels, scores = _scored(y_true, y_score)
    if not 0 < fraction <= 1:
        raise ValueError("fraction must be above 0 and at most 1, got {!r}".format(fraction))
    if not labels.any():
        return math.nan
    taken = max(1, math.ceil(fraction * len(labels) - 1e-9))
    _, true_positives, called = _ranked(labels, scores)
    # Linear between the ends of a run of equal scores is the mean over its orders.
    return float(np.interp(taken, called, true_positives) / taken / labels.mean())


def lift_curve(y_true, y_score):
    """(fractions, lifts) at each distinct score, from the best-scored run to the whole."""
    labels, scores = _scored(y_true, y_score)
    _, true_positives, called = _ranked(labels, scores)
    return called[1:] / len(labels), true_positives[1:] / called[1:] / labels.mean()


def summary(y_true, y_score, threshold=0.5, fp_cost=1.0, fn_cost=1.0, beta=1.0, fraction=0.1):
    """All measures at a threshold, a dict from name to number; "confusion matrix" is [[TN, FP], [FN, TP]].

    ValueError where y_true holds one class only: the curves have no meaning then.
    """
    labels, scores = _scored(y_true, y_score)
    if labels.min() == labels.max():
        raise ValueError("y_true holds only the class {}: both are needed".format(labels[0]))
    answers = (scores >= threshold).astype(int)
    metrics = sklearn.metrics
    precision, recall, _ = metrics.precision_recall_curve(labels, scores)
    return collections.OrderedDict(
        [
            ("confusion matrix", metrics.confusion_matrix(labels, answers).tolist()),
            ("accuracy", float(metrics.accuracy_score(labels, answers))),
            ("base rate", base_rate(labels)),
            ("cost-weighted accuracy", cost_weighted_accuracy(labels, answers, fp_cost, fn_cost)),
            ("cost-optimal threshold", cost_optimal_threshold(labels, scores, fp_cost, fn_cost).threshold),
            ("lift at {:g}".format(fraction), lift_at(labels, scores, fraction)),
            ("precision", float(metrics.precision_score(labels, answers, zero_division=0))),
            ("recall", float(metrics.recall_score(labels, answers))),
            ("F{:g}".format(beta), float(metrics.fbeta_score(labels, answers, beta=beta, zero_division=0))),
            ("ROC AUC", float(metrics.roc_auc_score(labels, scores))),
            ("PR AUC", float(metrics.auc(recall, precision))),
            ("average precision", float(metrics.average_precision_score(labels, scores))),
        ]
    )


def _ranked(labels, scores):
    """(thresholds, true positives, called positive) at +infinity and at each distinct score, downwards."""
    distinct, where = np.unique(-scores, return_inverse=True)
    called = np.cumsum(np.bincount(where, minlength=len(distinct)))
    true_positives = np.cumsum(np.bincount(where, weights=labels, minlength=len(distinct)))
    thresholds = np.concatenate([[np.inf], -distinct])
    return thresholds, np.concatenate([[0], true_positives]), np.concatenate([[0], called])
