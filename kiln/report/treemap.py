"""A treemap: rectangles whose areas are as sizes, as near to squares as they can be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Box:
    """A rectangle, in units of a picture."""

    x: float
    y: float
    width: float
    height: float

    def inside(self, margin: float, top: float) -> Box:
        """The rectangle without a margin, and without a title of the height `top`; never less than nothing."""
        return Box(
            self.x + margin,
            self.y + top,
            max(0.0, self.width - 2 * margin),
            max(0.0, self.height - top - margin),
        )


def laid_out(sizes: Sequence[float], box: Box) -> list[Box]:
    """A box for each size, in the order of the sizes, which together fill `box`; sizes are not negative.

    By the squarified method (Bruls, Huizing, van Wijk 2000): rows along the shorter side, each as long as its worst
    rectangle becomes no worse.
    """
    total = sum(sizes)
    if total <= 0 or box.width <= 0 or box.height <= 0:
        return [Box(box.x, box.y, 0.0, 0.0) for _ in sizes]
    order = sorted(range(len(sizes)), key=lambda number: (-sizes[number], number))
    scale = box.width * box.height / total
    found: dict[int, Box] = {}
    rest, begun = box, 0
    while begun < len(order):
        side = min(rest.width, rest.height)
        ended = begun + 1
        while ended < len(order) and _worst(_areas(sizes, order[begun:ended], scale), side) >= _worst(
            _areas(sizes, order[begun : ended + 1], scale), side
        ):
            ended += 1
        row = order[begun:ended]
        boxes, rest = _row(_areas(sizes, row, scale), rest, last=ended == len(order))
        found.update(zip(row, boxes))
        begun = ended
    return [found[number] for number in range(len(sizes))]


def _areas(sizes: Sequence[float], row: Sequence[int], scale: float) -> list[float]:
    return [sizes[number] * scale for number in row]


def _worst(areas: Sequence[float], side: float) -> float:
    """How far the worst rectangle of a row along a side is from a square: 1 is a square."""
    total = sum(areas)
    if total <= 0 or side <= 0 or min(areas) <= 0:
        return float("inf")
    return max(side * side * max(areas) / total**2, total**2 / (side * side * min(areas)))


def _row(areas: Sequence[float], box: Box, last: bool) -> tuple[list[Box], Box]:
    """A row of rectangles along the shorter side of a box, and what is left of the box."""
    total, along = sum(areas), box.width < box.height
    side, other = (box.width, box.height) if along else (box.height, box.width)
    depth = other if last else min(other, total / side if side else 0.0)
    boxes, place = [], 0.0
    for area in areas:
        length = side * area / total if total else 0.0
        if along:
            boxes.append(Box(box.x + place, box.y, length, depth))
        else:
            boxes.append(Box(box.x, box.y + place, depth, length))
        place += length
    if along:
        return boxes, Box(box.x, box.y + depth, box.width, max(0.0, box.height - depth))
    return boxes, Box(box.x + depth, box.y, max(0.0, box.width - depth), box.height)
