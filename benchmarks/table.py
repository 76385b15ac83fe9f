"""From rounds to lines of Markdown: medians with their spread, ratios taken round by round, targets met or missed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from benchmarks.measure import Contender, Round

HEAD = (
    "| contestant | wall s, median (min-max) | CPU s | peak MB | × floor, wall | × floor, CPU | told |",
    "|---|---|---|---|---|---|---|",
)
TARGETS_HEAD = (
    "| target | measured, median (min-max) | must | | stretch | |",
    "|---|---|---|---|---|---|",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A limit on a figure of one contestant: alone, as a ratio to another one's, or as what it is more."""

    what: str
    of: str
    figure: str
    against: str = ""
    by: Literal["ratio", "difference"] = "ratio"
    unit: str = "×"
    scale: float = 1
    must: float
    stretch: float | None = None

    def values(self, rounds: Sequence[Round]) -> list[float]:
        """The figure of each round, in the target's unit."""
        found = [one[self.of].figure(self.figure) * self.scale for one in rounds]
        if not self.against:
            return found
        others = [one[self.against].figure(self.figure) * self.scale for one in rounds]
        pairs = zip(found, others, strict=True)
        return [ours / other if self.by == "ratio" else ours - other for ours, other in pairs]

    def line(self, rounds: Sequence[Round]) -> str:
        """The row of the table of targets."""
        values = self.values(rounds)
        limits = [(self.must, self.unit), (self.stretch, self.unit)]
        cells = [
            f"| ≤ {limit:g} {unit} | {_met(median(values), limit, unit)} " if limit is not None else "| | "
            for limit, unit in limits
        ]
        return f"| {self.what} | {spread(values)} {self.unit} {''.join(cells)}|"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What is measured together; each round asked for counts ``times`` ones. ``floor`` is a contestant, or none."""

    title: str
    contenders: Sequence[Contender]
    floor: str = ""
    targets: Sequence[Target] = ()
    times: int = 1


def lines(workload: Workload, rounds: Sequence[Round]) -> Iterator[str]:
    """The workload's table."""
    yield from HEAD
    for contender in workload.contenders:
        samples = [one[contender.name] for one in rounds]
        ratios = [_ratio(contender.name, workload.floor, figure, rounds) for figure in ("wall", "cpu")]
        told = [f"{name} {median(one.told[name] for one in samples):.4g}" for name in samples[0].told]
        cells = [
            contender.name,
            spread([one.wall for one in samples]),
            f"{median(one.cpu for one in samples):.2f}",
            f"{max(one.mb for one in samples):.0f}",
            *ratios,
            ", ".join([*told, contender.note] if contender.note else told),
        ]
        yield f"| {' | '.join(cells)} |"


def _ratio(name: str, floor: str, figure: str, rounds: Sequence[Round]) -> str:
    if not floor:
        return ""
    return f"{median(one[name].figure(figure) / one[floor].figure(figure) for one in rounds):.2f}"


def spread(values: Sequence[float]) -> str:
    """The median and, in brackets, the smallest and the largest.

    >>> spread([1.5, 1.25, 4])
    '1.500 (1.250-4.000)'
    """
    digits = 3 if median(values) < 100 else 0  # noqa: PLR2004  # thousandths of large figures are noise
    middle, least, most = (f"{value:.{digits}f}" for value in (median(values), min(values), max(values)))
    return f"{middle} ({least}-{most})"


def _met(value: float, limit: float, unit: str) -> str:
    return "met" if value <= limit else f"**missed** by {value - limit:.3g} {unit}"
