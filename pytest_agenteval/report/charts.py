"""Small charts as plain numbers: a template draws them, and nothing in them is anybody's text."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from pytest_agenteval.model.blocks import Sparkline

WIDTH, HEIGHT, INSET = 140, 36, 4
_MOST_DOTS = 16
_STEPS = "▁▂▃▄▅▆▇█"
GAP = "·"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """A point of a sparkline that is marked."""

    x: float
    y: float
    newest: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """A sparkline in its box: a path for each stretch, one over each gap, dots, and the level's height."""

    paths: tuple[str, ...]
    gaps: tuple[str, ...]
    dots: tuple[Dot, ...]
    level: float | None
    width: int = WIDTH
    height: int = HEIGHT


def geometry(chart: Sparkline) -> Geometry:
    """Where each value comes to stand; greater values stand higher. A value alone is drawn as a dot."""
    low, span = _scale(chart)
    step = (WIDTH - 2 * INSET) / max(1, len(chart.points) - 1)

    def height_of(value: float) -> float:
        return round(HEIGHT - INSET - (HEIGHT - 2 * INSET) * (value - low) / span, 2)

    placed = [
        None if value is None else (round(INSET + step * place, 2), height_of(value))
        for place, (_, value) in enumerate(chart.points)
    ]
    stretches = _stretches(placed)
    known = [point for point in placed if point is not None]
    alone = {stretch[0] for stretch in stretches if len(stretch) == 1}
    marked = known if len(known) <= _MOST_DOTS else [point for point in known if point in alone or point == known[-1]]
    return Geometry(
        paths=tuple(_path(stretch) for stretch in stretches if len(stretch) > 1),
        gaps=tuple(_path([before[-1], after[0]]) for before, after in pairwise(stretches)),
        dots=tuple(Dot(x=x, y=y, newest=(x, y) == known[-1]) for x, y in marked),
        level=None if chart.level is None else min(max(height_of(chart.level), 1.0), HEIGHT - 1.0),
    )


def block_characters(chart: Sparkline) -> str:
    """The sparkline for pages without pictures, a character a week.

    >>> block_characters(Sparkline(points=(("W01", 0.0), ("W02", None), ("W03", 1.0)), label=""))
    '▁·█'
    """
    low, span = _scale(chart)
    top = len(_STEPS) - 1
    return "".join(GAP if value is None else _STEPS[round(top * (value - low) / span)] for _, value in chart.points)


def _scale(chart: Sparkline) -> tuple[float, float]:
    """The value at the bottom, and how much there is to the top; what hardly differs is in the middle."""
    values = [value for _, value in chart.points if value is not None]
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    span = max(high - low, chart.least_span) or 1.0
    return low - (span - (high - low)) / 2, span


_Point = tuple[float, float]


def _path(points: list[_Point]) -> str:
    return "M" + " L".join(f"{x:g} {y:g}" for x, y in points)


def _stretches(placed: list[_Point | None]) -> list[list[_Point]]:
    """The points in runs, broken where there is a gap."""
    found: list[list[_Point]] = [[]]
    for point in placed:
        if point is None:
            found.append([])
        else:
            found[-1].append(point)
    return [stretch for stretch in found if stretch]
