from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiln.build import Measured, Span
from kiln.build.measured import Step, Tool
from kiln.report.timeline import LEFT, WIDTH, busy, in_lanes, timeline

spans = st.lists(st.builds(Span, st.sampled_from("abc"), st.floats(0, 1e5), st.floats(0, 1e4)), max_size=12)


@settings(max_examples=40)
@given(spans)
def test_spans_of_a_lane_do_not_overlap_and_none_is_lost(spans: list[Span]) -> None:
    lanes = in_lanes(spans)
    assert sorted(map(id, (each for lane in lanes for each in lane))) == sorted(map(id, spans))
    for lane in lanes:
        assert all(one.begun + one.seconds <= other.begun for one, other in zip(lane, lane[1:]))


MEASURED = Measured(
    {},
    (Span("plan", 0, 10), Span("compile", 10, 90)),
    (Step("compile", "compile", 10, 90, ((0, 0, 1), (10, 15, 2000), (10, 15, 1), (30, 55, 500))),),
    Tool("ninja", 2, 50, (Span("src/a.cpp.o", 20, 40), Span("src/b.cpp.o", 30, 10))),
)


def test_everything_is_at_its_time_under_one_scale() -> None:
    found = timeline(MEASURED)
    assert found
    compiled = found.stations[1]
    assert (compiled.x, compiled.width) == pytest.approx((LEFT + (WIDTH - LEFT) / 10, (WIDTH - LEFT) * 0.9))
    assert found.steps[0].x == compiled.x
    assert [chart.most for chart in found.charts] == ["2.0", "2.00 GB"]
    a, b = found.actions
    assert a.title == "src/a.cpp.o: 40.0 s" and a.label == "a.cpp.o"
    assert b.y > a.y and b.y + 16 < found.height
    assert found.ticks[0] == (LEFT, "0 s") and found.ticks[-1][1] == "1:30 min"


def test_cores_are_the_processor_time_between_two_readings() -> None:
    assert busy(MEASURED) == [[(20, 1.5), (40, 2.0)]]


def test_where_nothing_was_measured_there_is_no_picture() -> None:
    assert timeline(Measured({})) is None
    found = timeline(Measured({}, (Span("plan", 0, 1),)))
    assert found and found.charts == () and found.actions == ()
