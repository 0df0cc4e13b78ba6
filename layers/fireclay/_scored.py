"""What measures and plots take: labels, scores and weights, checked once for both."""

import collections
from typing import Any, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from fireclay._array import Array

Scored = NamedTuple("Scored", [("labels", Array), ("scores", Array), ("weights", Array)])
Scored.__doc__ = """Labels, an integer array of 0 and 1; scores, float64; weights, float64: each (examples,)."""


def column(name: str, values: Any) -> Array:
    """The values in one axis, (examples,), from (examples,) or (examples, 1); ValueError for another shape or none."""
    values = np.asarray(values)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1 or not len(values):
        raise ValueError(
            "{} must be one or more values in one axis, got an array of shape {}".format(name, values.shape)
        )
    return values


def distinct(name: str, values: Array) -> Array:
    """The distinct labels, sorted; ValueError for labels that are missing or cannot be compared."""
    try:
        found = np.unique(values)
        missing = any(label != label for label in found.tolist())
    except TypeError:
        missing = True
    if missing:
        raise ValueError("{} must hold labels of one kind and none that is missing".format(name))
    return found


def binary(name: str, values: Any, pos_label: Any = None) -> Array:
    """Labels as 1 where they are pos_label and 0 elsewhere; without pos_label they are 0 and 1, or -1 and 1.

    Raises:
        ValueError: more than two different labels, or none that is known to be the positive one.
    """
    values = column(name, values)
    found = distinct(name, values).tolist()
    if len(found) > 2:
        raise ValueError(
            "{} holds {} different labels: give one class's labels, or use multiclass_summary".format(name, len(found))
        )
    if pos_label is None:
        if not (set(found) <= {0, 1} or set(found) <= {-1, 1}):
            raise ValueError(
                "{} holds {}: say with pos_label which label is the positive one".format(
                    name, " and ".join(map(repr, found))
                )
            )
        pos_label = 1
    elif len(found) == 2 and pos_label not in found:
        raise ValueError(
            "pos_label {!r} is not in {}, which holds {}".format(pos_label, name, " and ".join(map(repr, found)))
        )
    return np.asarray(values == pos_label).astype(int)


def numbers(name: str, values: Any) -> Array:
    """Finite numbers as a float64 array of any shape; ValueError for anything else."""
    array = np.asarray(values)
    try:
        found = array.astype(float) if array.dtype.kind in "biufO" else np.array([np.nan])
    except (TypeError, ValueError):
        found = np.array([np.nan])
    if not np.isfinite(found).all():
        raise ValueError("{} must be finite numbers".format(name))
    return found


def weights(sample_weight: Any, count: int) -> Array:
    """The weights of so many examples, 1 unless given; ValueError unless they are 0 or more, and one is above 0."""
    if sample_weight is None:
        return np.ones(count)
    found = column("sample_weight", numbers("sample_weight", sample_weight))
    if len(found) != count or found.min() < 0 or not found.any():
        raise ValueError("sample_weight must be {} numbers of 0 or more, not all 0".format(count))
    return found


def scored(y_true: Any, y_score: Any, pos_label: Any = None, sample_weight: Any = None, both: bool = False) -> Scored:
    """The examples of a binary problem. Those of weight 0 are left out.

    Args:
        both: whether a positive and a negative example are needed.

    Raises:
        ValueError: labels, scores or weights that are not what they should be, or not one for each example.
    """
    labels = binary("y_true", y_true, pos_label)
    scores = numbers("y_score", y_score)
    if scores.ndim == 2 and scores.shape[1] > 1:
        raise ValueError(
            "y_score has {} columns: give the positive class's alone, or use multiclass_summary".format(scores.shape[1])
        )
    scores = column("y_score", scores)
    if len(scores) != len(labels):
        raise ValueError("y_score must be {} finite numbers, one for each of y_true".format(len(labels)))
    heavy = weights(sample_weight, len(labels))
    kept = heavy > 0
    found = Scored(labels[kept], scores[kept], heavy[kept])
    if both and found.labels.min() == found.labels.max():
        raise ValueError(
            "y_true holds only {} examples: both kinds are needed".format("positive" if found.labels[0] else "negative")
        )
    return found


def classes(y_true: Any, y_score: Any, labels: Optional[Sequence[Any]] = None) -> Tuple[Array, Array, List[Any]]:
    """(y_true, y_score, labels) of several classes: (examples,), (examples, classes), and the label of each column.

    Without `labels` they are the distinct ones of y_true, sorted, as in scikit-learn's `classes_`.

    Raises:
        ValueError: fewer than 2 labels, labels twice, one that is in y_true alone, or not one column for each.
    """
    truth = column("y_true", y_true)
    present = distinct("y_true", truth).tolist()
    names = present if labels is None else np.asarray(labels).tolist()
    scores = numbers("y_score", y_score)
    if len(names) < 2 or len(set(names)) < len(names):
        raise ValueError("labels must be 2 or more different labels, got {!r}".format(names))
    strangers = [label for label in present if label not in names]
    if strangers:
        raise ValueError("y_true holds {!r}, which is not among labels".format(strangers[0]))
    if scores.shape != (len(truth), len(names)):
        raise ValueError(
            "y_score must be of shape {}, a row for each of y_true and a column for each label, got {}".format(
                (len(truth), len(names)), scores.shape
            )
        )
    return truth, scores, names


def one_against_rest(
    y_true: Any, y_score: Any, labels: Optional[Sequence[Any]] = None
) -> Iterator[Tuple[Any, Array, Array]]:
    """For each class (label, 1 where y_true is it and 0 elsewhere, its scores): what the binary measures take.

    Args and errors: see multiclass_summary.
    """
    truth, scores, names = classes(y_true, y_score, labels)
    return iter([(name, (truth == name).astype(int), scores[:, number]) for number, name in enumerate(names)])


Curve = collections.namedtuple("Curve", "thresholds true_positives called")


def ranked(examples: Scored) -> Curve:
    """The weight of true positives, and of all that are called positive, at +infinity and at each distinct score,
    downwards."""
    heights, where = np.unique(-examples.scores, return_inverse=True)
    where = where.reshape(-1)  # NumPy 2.0 gives it the scores' own shape
    called = np.cumsum(np.bincount(where, weights=examples.weights, minlength=len(heights)))
    positive = np.cumsum(np.bincount(where, weights=examples.weights * examples.labels, minlength=len(heights)))
    return Curve(
        np.concatenate([[np.inf], -heights]), np.concatenate([[0.0], positive]), np.concatenate([[0.0], called])
    )
