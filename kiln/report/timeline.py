"""The timeline of a build as a picture: stations, steps, the machine's use and the longest actions under one scale."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from kiln.build import Measured, Span
from kiln.core import duration
from kiln.report.text import bytes_shown, fitted

# Units of the picture: its width, the left edge of the scale, and the heights of rows.
WIDTH, LEFT, ROW, GAP, CHART, LANE = 1000.0, 96.0, 22.0, 6.0, 90.0, 16.0
_TICKS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)
_MARKS = 8


@dataclass(frozen=True)
class Bar:
    """`title` is the whole text, `label` what there is room for."""

    title: str
    label: str
    x: float
    y: float
    width: float
    number: int = 0


@dataclass(frozen=True)
class Chart:
    """One quantity over time as the outlines of its areas, with its highest value."""

    name: str
    y: float
    most: str
    paths: tuple[str, ...]


@dataclass(frozen=True)
class Timeline:
    """All of the picture, in its units; `ticks` are places with their times."""

    height: float
    stations: tuple[Bar, ...]
    steps: tuple[Bar, ...]
    charts: tuple[Chart, ...]
    actions: tuple[Bar, ...]
    lanes: float
    ticks: tuple[tuple[float, str], ...]


def timeline(measured: Measured) -> Timeline | None:
    """The picture of what was measured; None where there is nothing that took time."""
    stations = list(measured.stations)
    steps = [Span(each.name, each.begun, each.seconds) for each in measured.steps]
    ended = [each.begun + each.seconds for each in (*stations, *steps)]
    whole = max(ended, default=0.0)
    if whole <= 0:
        return None
    scale = (WIDTH - LEFT) / whole
    y = 2 * (ROW + GAP) + GAP
    charts = []
    for name, series, shown in (
        ("cores busy", busy(measured), _cores),
        ("memory", memory(measured), bytes_shown),
    ):
        if any(series):
            charts.append(_chart(name, series, shown, y + 12, scale))
            y += CHART + 22
    longest = measured.tool.longest if measured.tool else ()
    actions = [Span(each.name, each.begun, each.seconds) for each in longest]
    lanes = in_lanes(actions)
    place = y + 14
    bars = tuple(
        bar for number, lane in enumerate(lanes) for bar in _bars(lane, place + number * LANE, scale)
    )
    height = (place + len(lanes) * LANE if lanes else y) + 24
    return Timeline(
        height,
        _bars(stations, 0.0, scale),
        _bars(steps, ROW + GAP, scale),
        tuple(charts),
        bars,
        y,
        _ticks(whole, scale),
    )


def busy(measured: Measured) -> list[list[tuple[float, float]]]:
    """The cores that each step kept busy: seconds since the build's start, and the mean since the reading before."""
    return [
        [
            (step.begun + now[0], max(0.0, now[1] - before[1]) / (now[0] - before[0]))
            for before, now in zip(step.usage, step.usage[1:])
            if now[0] > before[0]
        ]
        for step in measured.steps
    ]


def memory(measured: Measured) -> list[list[tuple[float, float]]]:
    """The memory of each step in bytes, by seconds since the build's start."""
    return [[(step.begun + row[0], row[2] * 1e6) for row in step.usage] for step in measured.steps]


def in_lanes(spans: Iterable[Span]) -> list[list[Span]]:
    """Spans in rows so that those of a row do not overlap, each in the first row that is free."""
    lanes: list[list[Span]] = []
    for span in sorted(spans, key=lambda each: (each.begun, each.name)):
        for lane in lanes:
            if lane[-1].begun + lane[-1].seconds <= span.begun:
                lane.append(span)
                break
        else:
            lanes.append([span])
    return lanes


def _bars(spans: Iterable[Span], y: float, scale: float) -> tuple[Bar, ...]:
    found = []
    for number, span in enumerate(spans):
        width = max(1.0, span.seconds * scale)
        found.append(
            Bar(
                f"{span.name}: {duration(span.seconds)}",
                fitted(span.name, int((width - 6) / 6.5)),
                LEFT + span.begun * scale,
                y,
                width,
                number % 2,
            )
        )
    return tuple(found)


def _chart(
    name: str,
    series: Sequence[Sequence[tuple[float, float]]],
    shown: Callable[[float], str],
    y: float,
    scale: float,
) -> Chart:
    highest = max(value for points in series for _, value in points)
    most = highest or 1.0
    paths = []
    for points in series:
        if len(points) < 2:
            continue
        places = [(LEFT + at * scale, y + CHART * (1 - value / most)) for at, value in points]
        line = " ".join(f"L{x:.1f} {height:.1f}" for x, height in places)
        paths.append(f"M{places[0][0]:.1f} {y + CHART:.1f} {line} L{places[-1][0]:.1f} {y + CHART:.1f} Z")
    return Chart(name, y, shown(highest), tuple(paths))


def _cores(count: float) -> str:
    return f"{count:.1f}"


def _ticks(whole: float, scale: float) -> tuple[tuple[float, str], ...]:
    step = next((each for each in _TICKS if whole / each <= _MARKS), _TICKS[-1])
    count = int(whole / step)
    return tuple((LEFT + number * step * scale, _clock(number * step)) for number in range(count + 1))


def _clock(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02d} h"
    if minutes and rest:
        return f"{minutes}:{rest:02d} min"
    return f"{minutes} min" if minutes else f"{rest} s"
