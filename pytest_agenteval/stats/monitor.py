"""Is this week worth a review? Weekly numbers against a fixed history, at a stated rate of false alarms."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Literal, NamedTuple, TypedDict, TypeVar

from pytest_agenteval.stats.charts import cusum_limit, ewma_limit, mean_moving_range
from pytest_agenteval.stats.checks import choice, finite_values, fraction, positive, whole
from pytest_agenteval.stats.distributions import (
    binomial_mid_tails,
    normal_upper_quantile,
    poisson_mid_tails,
    t_lower_tail,
)
from pytest_agenteval.stats.exact import exact_mean, exceeds

LEAST_HISTORY: Final = 8
"""Weeks before the first alarm: fewer do not show how much weeks vary by themselves."""

MOST_HISTORY: Final = 12
"""Weeks after which the history is complete, and later ones are only judged by it."""

LEAST_CASES: Final = 10
"""A week with fewer cases waits for the next, and both are judged as one."""

ONE_WEEK: Final = 3.0
"""A z above this is an alarm by itself, whatever the weeks before say."""

SHIFTS: Final = (0.5, 1.0, 1.5, 2.0)
"""Lasting shifts, in standard errors of a week, that the Shiryaev-Roberts detector bets on."""

_LEAST_TAIL: Final = 5e-324
_MOST_EVIDENCE: Final = 1e300
_LARGEST_EXPONENT: Final = 600.0
_EWMA_WEIGHT: Final = 0.2

Harm = Literal["up", "down"]
CountKind = Literal["binomial", "poisson"]
DetectorName = Literal["shiryaev-roberts", "cusum", "ewma"]


class WeeklyAlarms(TypedDict):
    """What the weeks say; the lists have one entry per week given, None where a week was not judged.

    z: deviation in the harmful direction, N(0, 1) while nothing changed. evidence: of the detector, which starts
    again after an alarm; limit: what it must exceed. centre: the rate or mean that weeks are compared with, None while
    there is no history. alarms: positions of the weeks to review. missing: positions of the weeks without any
    data, an alarm of another kind.
    """

    learning: bool
    centre: float | None
    limit: float
    z: list[float | None]
    evidence: list[float | None]
    alarms: list[int]
    missing: list[int]


class _Counted(NamedTuple):
    events: int
    size: float


class _Measured(NamedTuple):
    mean: float
    error: float


Week = TypeVar("Week", _Counted, _Measured)


class _Detector(NamedTuple):
    """States (one number per bet), how a week's z changes them, and the limits; evidence is the mean state."""

    start: list[float]
    step: Callable[[Sequence[float], float], list[float]]
    limit: float
    one_week: float


def midp_z(x: int, n: float, p0: float, kind: CountKind = "binomial") -> float:
    """How many standard errors a week's count lies above what p0 makes likely; below 0: under it.

    binomial: x of n cases, p0 their usual share. poisson: x events in n units of work (hours, sessions), p0 the
    usual number per unit. Mid-p, each tail from its own side, so that rare events and far weeks come out right; ±38
    is the end of the scale. Source: Lancaster (1961), JASA 56.

    >>> round(midp_z(8, 100, 0.05), 4), round(midp_z(8, 100, 0.05, "poisson"), 4)
    (1.3075, 1.2774)
    """
    if choice(kind, "kind", ["binomial", "poisson"]) == "poisson":
        below, above = poisson_mid_tails(whole(x, "x"), positive(n, "n") * positive(p0, "p0"))
    else:
        cases = whole(n, "n", low=1)  # type: ignore[arg-type]  # a share of a case is refused here
        below, above = binomial_mid_tails(whole(x, "x", high=cases), cases, fraction(p0, "p0"))
    if above < below:
        return normal_upper_quantile(max(above, _LEAST_TAIL))
    return -normal_upper_quantile(max(below, _LEAST_TAIL))


def sr_detector_path(z: Sequence[float], lambdas: Sequence[float] = SHIFTS) -> list[float]:
    """Shiryaev-Roberts evidence of a lasting rise, after each week; never below 0, shown up to 1e300.

    M <- (M + 1)·exp(λz - λ²/2) for each shift λ, averaged; no reset. If z has mean <= 0 and a variance <= 1
    (sub-Gaussian) while nothing changed, its mean after t weeks is t at most, and an alarm at ARL or above comes
    once in ARL weeks or rarer: no table is needed. Source: Shin, Ramdas and Rinaldo (2024), E-detectors.

    >>> [round(evidence, 2) for evidence in sr_detector_path([0.0, 3.0, 3.0])]
    [0.49, 31.93, 1220.89]
    """
    shifts = [positive(shift, "lambdas") for shift in lambdas]
    states, path = [0.0] * len(shifts), []
    for value in finite_values(z, "z", at_least=0):
        states = _sr_step(states, value, shifts)
        path.append(exact_mean(states))
    return path


def _sr_step(states: Sequence[float], z: float, shifts: Sequence[float] = SHIFTS) -> list[float]:
    growth = [math.exp(min(shift * z - shift * shift / 2.0, _LARGEST_EXPONENT)) for shift in shifts]
    return [min((state + 1.0) * factor, _MOST_EVIDENCE) for state, factor in zip(states, growth, strict=True)]


def _detector(name: DetectorName, arl: float) -> _Detector:
    choice(name, "detector", ["shiryaev-roberts", "cusum", "ewma"])
    if name == "cusum":
        return _Detector([0.0], lambda s, z: [max(0.0, s[0] + z - 0.5)], cusum_limit(0.5, arl), math.inf)
    if name == "ewma":
        edge = ewma_limit(_EWMA_WEIGHT, arl) * math.sqrt(_EWMA_WEIGHT / (2.0 - _EWMA_WEIGHT))
        return _Detector([0.0], lambda s, z: [(1.0 - _EWMA_WEIGHT) * s[0] + _EWMA_WEIGHT * z], edge, math.inf)
    return _Detector([0.0] * len(SHIFTS), _sr_step, positive(arl, "arl"), ONE_WEEK)


def weekly_alarms(
    counts: Sequence[int],
    sizes: Sequence[float],
    *,
    harmful: Harm = "up",
    kind: CountKind = "binomial",
    detector: DetectorName = "shiryaev-roberts",
    arl: float = 52.0,
) -> WeeklyAlarms:
    """Which weeks call for a review of a rate: counts of sizes, one pair a week, in order.

    harmful: the direction that hurts (up for errors, down for passes). kind: binomial for cases of which some count,
    poisson for events per unit of work. arl: mean number of weeks between false alarms (52: one a year).
    A week of 0 is missing; weeks under 10 cases join the next. The first 8 weeks are learned from, not judged; the
    history grows to 12 weeks unless an alarm stops it, then stays until it is begun anew with the weeks of a
    new normal. Weeks that vary beyond counting noise widen their own limits (Laney 2002). Assumes independent weeks.
    detector: shiryaev-roberts (also alarms at one z above 3), cusum (Page 1954) or ewma (Roberts 1959).

    >>> weekly_alarms([5, 4, 6, 5, 5, 4, 6, 5, 5, 24], [100] * 10)["alarms"]
    [9]
    """
    choice(kind, "kind", ["binomial", "poisson"])
    weeks = list(_joined(counts, sizes, kind))
    missing = [place for place, size in enumerate(sizes) if size == 0]

    def z_under(history: Sequence[_Counted]) -> tuple[float, Callable[[_Counted], float]]:
        rate = _usual_rate(history, kind)
        return rate, lambda week: midp_z(week.events, week.size, rate, kind)

    return _judge(weeks, missing, z_under, harmful, _detector(detector, arl))


def weekly_alarms_of_means(
    means: Sequence[float | None],
    errors: Sequence[float | None],
    *,
    harmful: Harm = "up",
    detector: DetectorName = "shiryaev-roberts",
    arl: float = 52.0,
) -> WeeklyAlarms:
    """Which weeks call for a review of a mean (a graded score, log latency): as ``weekly_alarms``.

    errors: the standard error of each week's mean, clustered by case (``clustered_se``); above 0. None for either:
    the week is missing. Assumes means near normal: 20 cases a week or more.

    >>> week = [0.80, 0.82, 0.79, 0.81, 0.80, 0.78, 0.81, 0.80, 0.70]
    >>> weekly_alarms_of_means(week, [0.02] * 9, harmful="down")["alarms"]
    [8]
    """
    weeks = [
        None if mean is None or error is None else _Measured(mean, positive(error, "errors"))
        for mean, error in zip(means, errors, strict=True)
    ]

    def z_under(history: Sequence[_Measured]) -> tuple[float, Callable[[_Measured], float]]:
        centre = exact_mean([week.mean for week in history])
        return centre, lambda week: (week.mean - centre) / week.error

    finite_values([week.mean for week in weeks if week is not None], "means", at_least=0)
    missing = [place for place, week in enumerate(weeks) if week is None]
    return _judge(weeks, missing, z_under, harmful, _detector(detector, arl))


def _joined(counts: Sequence[int], sizes: Sequence[float], kind: CountKind) -> Iterator[_Counted | None]:
    """Each week with the small ones that wait for it; None for a week that waits itself."""
    waiting = _Counted(0, 0)
    for count, size in zip(counts, sizes, strict=True):
        if kind == "binomial":
            whole(count, "counts", high=whole(size, "sizes"))  # type: ignore[arg-type]  # refused there
        elif size != 0:
            positive(size, "sizes")
        waiting = _Counted(waiting.events + whole(count, "counts"), waiting.size + size)
        if waiting.size < LEAST_CASES:
            yield None
        else:
            yield waiting
            waiting = _Counted(0, 0)


def _usual_rate(history: Sequence[_Counted], kind: CountKind) -> float:
    """The rate of the history, half an event added, so that it is never 0 (nor, for shares, 1)."""
    events = sum(week.events for week in history)
    size = math.fsum(week.size for week in history)
    return (events + 0.5) / (size if kind == "poisson" else size + 1.0)


def _judge(
    weeks: Sequence[Week | None],
    missing: list[int],
    z_under: Callable[[Sequence[Week]], tuple[float, Callable[[Week], float]]],
    harmful: Harm,
    detector: _Detector,
) -> WeeklyAlarms:
    sign = 1.0 if choice(harmful, "harmful", ["up", "down"]) == "up" else -1.0
    answer: WeeklyAlarms = {
        "learning": True, "centre": None, "limit": detector.limit, "z": [], "evidence": [], "alarms": [],
        "missing": missing,
    }  # fmt: skip
    history: list[Week] = []
    states = detector.start
    for place, week in enumerate(weeks):
        z = evidence = None
        if week is not None and len(history) >= LEAST_HISTORY:
            answer["centre"], z_of = z_under(history)
            z = _in_control(sign * z_of(week), [z_of(past) for past in history])
            states = detector.step(states, z)
            evidence = exact_mean(states)
            if exceeds(evidence, detector.limit) or exceeds(z, detector.one_week):
                answer["alarms"].append(place)
                states = detector.start
        if week is not None and len(history) < MOST_HISTORY and not answer["alarms"]:
            history.append(week)
        answer["z"].append(z)
        answer["evidence"].append(evidence)
    answer["learning"] = len(history) < LEAST_HISTORY
    return answer


def _in_control(z: float, history: Sequence[float]) -> float:
    """A z made N(0, 1): by how much past weeks varied, and by how little a few of them tell about it."""
    weeks = len(history)
    spread = max(1.0, mean_moving_range(history)) * math.sqrt(1.0 + 1.0 / weeks)
    tail = t_lower_tail(-abs(z) / spread, weeks - 1)
    return math.copysign(normal_upper_quantile(max(tail, _LEAST_TAIL)), z)
