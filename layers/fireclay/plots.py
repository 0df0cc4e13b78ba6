"""Plots of the measures with the chosen threshold marked. Each draws on `ax`, or on a new figure's, and returns it."""

import matplotlib.pyplot as plt
import numpy as np
import sklearn.metrics

from fireclay import measures

_MARK = {"marker": "o", "color": "black", "linestyle": "none", "zorder": 3}


def _axes(ax, title, x, y):
    ax = plt.subplots(figsize=(4, 4))[1] if ax is None else ax
    ax.set(title=title, xlabel=x, ylabel=y)
    ax.grid(alpha=0.3)
    return ax


def _mark(ax, x, y, threshold):
    ax.plot([x], [y], label="threshold {:.3g}".format(threshold), **_MARK)
    ax.legend()


def _rates(y_true, y_score, threshold):
    answers = np.asarray(y_score) >= threshold
    (tn, fp), (fn, tp) = sklearn.metrics.confusion_matrix(y_true, answers.astype(int), labels=[0, 1])
    return tn, fp, fn, tp


def plot_roc(y_true, y_score, threshold=None, ax=None):
    """The receiver operating characteristic, with its area in the title."""
    fpr, tpr, _ = sklearn.metrics.roc_curve(y_true, y_score)
    title = "ROC, area {:.3f}".format(sklearn.metrics.auc(fpr, tpr))
    ax = _axes(ax, title, "false positive rate", "true positive rate")
    ax.plot(fpr, tpr)
    ax.plot([0, 1], [0, 1], linestyle=":", color="grey")
    if threshold is not None:
        tn, fp, fn, tp = _rates(y_true, y_score, threshold)
        _mark(ax, fp / (fp + tn), tp / (tp + fn), threshold)
    return ax


def plot_precision_recall(y_true, y_score, threshold=None, ax=None):
    """Precision over recall, with its area in the title; dotted: the share of positives."""
    precision, recall, _ = sklearn.metrics.precision_recall_curve(y_true, y_score)
    title = "Precision and recall, area {:.3f}".format(sklearn.metrics.auc(recall, precision))
    ax = _axes(ax, title, "recall", "precision")
    ax.step(recall, precision, where="post")
    ax.axhline(np.mean(y_true), linestyle=":", color="grey")
    if threshold is not None:
        _, fp, fn, tp = _rates(y_true, y_score, threshold)
        # Where nothing is called positive the curve ends at precision 1.
        _mark(ax, tp / (tp + fn), tp / (tp + fp) if tp + fp else 1.0, threshold)
    return ax


def plot_lift(y_true, y_score, fraction=None, ax=None):
    """Lift over the fraction of examples taken, best scores first; `fraction` is marked."""
    fractions, lifts = measures.lift_curve(y_true, y_score)
    ax = _axes(ax, "Lift", "fraction taken", "lift")
    ax.plot(fractions, lifts)
    ax.axhline(1, linestyle=":", color="grey")
    if fraction is not None:
        lift = measures.lift_at(y_true, y_score, fraction)
        ax.plot([fraction], [lift], label="{:.2f} at {:g}".format(lift, fraction), **_MARK)
        ax.legend()
    return ax


def plot_cost(y_true, y_score, fp_cost=1.0, fn_cost=1.0, ax=None):
    """The mean cost of an example over the threshold, with the cost-optimal threshold marked."""
    thresholds, costs = measures.cost_curve(y_true, y_score, fp_cost, fn_cost)
    best = measures.cost_optimal_threshold(y_true, y_score, fp_cost, fn_cost)
    ax = _axes(ax, "Cost", "threshold", "mean cost of an example")
    # The first threshold is infinite: none is called positive. They fall, and a cost holds down to the next.
    ax.step(thresholds[1:], costs[1:], where="post")
    ax.axhline(costs[0], linestyle=":", color="grey")
    _mark(ax, min(best.threshold, thresholds[1]), best.cost, best.threshold)
    return ax


def plot_confusion_matrix(y_true, y_score, threshold=0.5, ax=None):
    """Counts of right and wrong answers at the threshold."""
    tn, fp, fn, tp = _rates(y_true, y_score, threshold)
    ax = _axes(ax, "Answers at threshold {:.3g}".format(threshold), "answer", "truth")
    counts = np.array([[tn, fp], [fn, tp]])
    ax.imshow(counts, cmap="Blues", vmin=0)
    for (row, column), count in np.ndenumerate(counts):
        dark = count > counts.max() / 2
        ax.text(column, row, str(count), ha="center", va="center", color="white" if dark else "black")
    ax.grid(False)
    ax.set(xticks=[0, 1], yticks=[0, 1])
    return ax
