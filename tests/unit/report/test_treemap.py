from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiln.report.treemap import Box, laid_out

sizes = st.lists(st.integers(0, 10**9), max_size=16)
boxes = st.builds(Box, st.floats(-1e3, 1e3), st.floats(-1e3, 1e3), st.floats(1, 2e3), st.floats(1, 2e3))


@settings(max_examples=40)
@given(sizes, boxes)
def test_areas_are_as_the_sizes_and_fill_the_box(sizes: list[int], box: Box) -> None:
    found = laid_out(sizes, box)
    assert len(found) == len(sizes)
    total, area = sum(sizes), box.width * box.height
    for size, each in zip(sizes, found):
        expected = area * size / total if total else 0.0
        assert each.width * each.height == pytest.approx(expected, rel=1e-6, abs=area * 1e-9)


@settings(max_examples=40)
@given(sizes, boxes)
def test_every_rectangle_is_inside_and_none_covers_another(sizes: list[int], box: Box) -> None:
    found, slack = laid_out(sizes, box), 1e-6 * (box.width + box.height)
    for each in found:
        assert each.width >= 0 and each.height >= 0
        assert box.x - slack <= each.x and each.x + each.width <= box.x + box.width + slack
        assert box.y - slack <= each.y and each.y + each.height <= box.y + box.height + slack
    for one, other in itertools.combinations(found, 2):
        apart = (
            one.x + one.width <= other.x + slack
            or other.x + other.width <= one.x + slack
            or one.y + one.height <= other.y + slack
            or other.y + other.height <= one.y + slack
        )
        assert apart or 0 in (one.width * one.height, other.width * other.height)


def test_the_picture_of_the_method_itself() -> None:
    """Sizes and box of the paper's example: its first row is 6 and 6, along the side of 4."""
    found = laid_out([6, 6, 4, 3, 2, 2, 1], Box(0, 0, 6, 4))
    assert found[0] == Box(0, 0, 3, 2) and found[1] == Box(0, 2, 3, 2)
    assert found[2].x == 3 and found[2].y == 0


def test_a_box_without_room_gives_rectangles_without_room() -> None:
    assert laid_out([1, 2], Box(3, 4, 0, 9)) == [Box(3, 4, 0, 0)] * 2
    assert Box(0, 0, 3, 10).inside(2, 18) == Box(2, 18, 0, 0)
