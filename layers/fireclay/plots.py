"""Plots of the measures with the chosen threshold marked. Needs no TensorFlow.

Each draws on `ax`, or on a new figure's, and returns it. Arguments are those of `fireclay.measures`, and what a measure
refuses its plot refuses: ValueError then. With `name` the curve is named in the legend, so that several models can be
drawn on one axes; for several classes draw `measures.one_against_rest`'s one by one.
"""

from typing import Any, Optional

import matplotlib.pyplot as plt
import numpy as np
import sklearn.metrics

from fireclay import _scored, measures

__all__ = ["plot_confusion_matrix", "plot_cost", "plot_lift", "plot_precision_recall", "plot_roc"]

_CHANCE = {"linestyle": ":", "color": "grey", "zorder": 1}


def _axes(ax: Any, title: str, x: str, y: str) -> Any:
    ax = plt.subplots(figsize=(4, 4))[1] if ax is None else ax
    ax.set(title=title, xlabel=x, ylabel=y)
    ax.grid(alpha=0.3)
    return ax


def _title(title: str, number: str, name: Optional[str]) -> str:
    return title if name is not None else "{}, {}".format(title, number)


def _legend(ax: Any) -> None:
    if ax.get_legend_handles_labels()[0]:
        ax.legend()


def _label(number: str, name: Optional[str]) -> Any:
    return {} if name is None else {"label": "{}, {}".format(name, number) if number else name}


def _mark(ax: Any, line: Any, x: float, y: float, label: str, name: Optional[str]) -> None:
    # Black on a curve of its own; among others in the curve's colour, with the name told again.
    color = "black" if name is None else line.get_color()
    label = label if name is None else "{}, {}".format(name, label)
    ax.plot([x], [y], label=label, marker="o", color=color, linestyle="none", zorder=3)


def plot_roc(
    y_true: Any,
    y_score: Any,
    threshold: Optional[float] = None,
    ax: Any = None,
    name: Optional[str] = None,
    pos_label: Any = None,
    sample_weight: Any = None,
) -> Any:
    """The receiver operating characteristic; its area is in the title, or beside the name in the legend."""
    labels, scores, weights = examples = _scored.scored(y_true, y_score, pos_label, sample_weight, both=True)
    fpr, tpr, _ = sklearn.metrics.roc_curve(labels, scores, sample_weight=weights)
    area = "area {:.3f}".format(sklearn.metrics.roc_auc_score(labels, scores, sample_weight=weights))
    ax = _axes(ax, _title("ROC", area, name), "false positive rate", "true positive rate")
    (line,) = ax.plot(fpr, tpr, **_label(area, name))
    ax.plot([0, 1], [0, 1], **_CHANCE)
    if threshold is not None:
        (tn, fp), (fn, tp) = measures.confusion_matrix(*examples[:2], threshold, sample_weight=weights)
        _mark(ax, line, fp / (fp + tn), tp / (tp + fn), "threshold {:.3g}".format(threshold), name)
    _legend(ax)
    return ax


def plot_precision_recall(
    y_true: Any,
    y_score: Any,
    threshold: Optional[float] = None,
    ax: Any = None,
    name: Optional[str] = None,
    pos_label: Any = None,
    sample_weight: Any = None,
) -> Any:
    """Precision over recall as steps, whose area, the average precision (AP), is in the title, or beside the name in the
    legend; dotted: the prevalence. A threshold at which nothing is called positive is marked at precision 0."""
    labels, scores, weights = _scored.scored(y_true, y_score, pos_label, sample_weight, both=True)
    precision, recall, _ = sklearn.metrics.precision_recall_curve(labels, scores, sample_weight=weights)
    area = "AP {:.3f}".format(sklearn.metrics.average_precision_score(labels, scores, sample_weight=weights))
    ax = _axes(ax, _title("Precision and recall", area, name), "recall", "precision")
    (line,) = ax.step(recall, precision, where="post", **_label(area, name))
    ax.axhline(measures.prevalence(labels, sample_weight=weights), **_CHANCE)
    if threshold is not None:
        found = measures.summary(labels, scores, threshold, sample_weight=weights)
        _mark(ax, line, found["recall"], found["precision"], "threshold {:.3g}".format(threshold), name)
    _legend(ax)
    return ax


def plot_lift(
    y_true: Any,
    y_score: Any,
    fraction: Optional[float] = None,
    ax: Any = None,
    name: Optional[str] = None,
    pos_label: Any = None,
    sample_weight: Any = None,
) -> Any:
    """Lift over the fraction of examples taken, best scores first; `fraction` is marked, with measures.lift_at there."""
    given = {"pos_label": pos_label, "sample_weight": sample_weight}
    ends, _ = measures.lift_curve(y_true, y_score, **given)
    marked = [] if fraction is None else [fraction]
    # Inside a run of equal scores the line bends: it is drawn through many points.
    places = np.unique(np.concatenate([ends, np.arange(1, 501) / 500, marked]))
    fractions, lifts = measures.lift_curve(y_true, y_score, fractions=places, **given)
    ax = _axes(ax, "Lift", "fraction taken", "lift")
    (line,) = ax.plot(fractions, lifts, **_label("", name))
    ax.axhline(1, **_CHANCE)
    if fraction is not None:
        lift = measures.lift_at(y_true, y_score, fraction, **given)
        _mark(ax, line, fraction, lift, "{:.2f} at {:g}".format(lift, fraction), name)
    _legend(ax)
    return ax


def plot_cost(
    y_true: Any,
    y_score: Any,
    fp_cost: float = 1.0,
    fn_cost: float = 1.0,
    ax: Any = None,
    name: Optional[str] = None,
    pos_label: Any = None,
    sample_weight: Any = None,
) -> Any:
    """The mean cost of an example over the threshold, with the cost-optimal threshold marked.

    The line goes on a little beyond the scores: above the highest nothing is called positive, and a mark there stands for
    every threshold above it.
    """
    given = {"fp_cost": fp_cost, "fn_cost": fn_cost, "pos_label": pos_label, "sample_weight": sample_weight}
    thresholds, costs = measures.cost_curve(y_true, y_score, **given)
    best = measures.cost_optimal_threshold(y_true, y_score, **given)
    high, low = thresholds[1], thresholds[-1]
    margin = high * 0.05 - low * 0.05 or abs(high) * 0.05 or 0.05
    beyond = high + margin
    ax = _axes(ax, "Cost", "threshold", "mean cost of an example")
    # They fall, and a cost holds down to the next.
    (line,) = ax.step(
        np.concatenate([[beyond], thresholds[1:], [low - margin]]),
        np.concatenate([costs, costs[-1:]]),
        where="post",
        **_label("", name),
    )
    _mark(ax, line, min(best.threshold, beyond), best.cost, "threshold {:.3g}".format(best.threshold), name)
    _legend(ax)
    return ax


def plot_confusion_matrix(
    y_true: Any,
    y_score: Any,
    threshold: float = 0.5,
    ax: Any = None,
    pos_label: Any = None,
    sample_weight: Any = None,
    labels: Any = None,
) -> Any:
    """Counts, or sums of weights, of right and wrong answers at the threshold, or, with y_score of (examples, classes),
    of several classes: see measures.confusion_matrix."""
    found = measures.confusion_matrix(y_true, y_score, threshold, pos_label, sample_weight, labels)
    names, title = [0, 1], "Answers at threshold {:.3g}".format(threshold)
    if np.ndim(y_score) == 2 and np.shape(y_score)[1] > 1:
        names, title = _scored.classes(y_true, y_score, labels)[2], "Answers"
    ax = _axes(ax, title, "answer", "truth")
    ax.imshow(found, cmap="Blues", vmin=0)
    for (row, column), count in np.ndenumerate(found):
        dark = count > found.max() / 2
        text = "{:.6g}".format(count) if found.dtype.kind == "f" else str(count)
        ax.text(column, row, text, ha="center", va="center", color="white" if dark else "black")
    ax.grid(False)
    ax.set(xticks=range(len(names)), yticks=range(len(names)), xticklabels=names, yticklabels=names)
    return ax
