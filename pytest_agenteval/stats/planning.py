"""What would this gate find, and what would it take? The power of the whole policy, before any call.

By drawing what a few thousand runs would show (``population``), and judging each as the gate does: first look,
drop beyond the margin, second look. Half of the runs lose a class of cases, in the other half all cases get a
little worse. The seed is fixed, so the same question has the same answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

import numpy as np

from pytest_agenteval.stats.decision import MIN_CASES_TO_PASS
from pytest_agenteval.stats.exact import stable_seed
from pytest_agenteval.stats.population import MECHANISMS, Design, Drop, Graded, PassFail, Population
from pytest_agenteval.stats.simulation import excludes_margin, regressed

MOST_CASES: Final = 1_000_000
"""No more cases are looked for."""

DRAWS: Final = 1_000
"""Runs drawn for each mechanism; a power of .8 is then known to within .009 (one standard error)."""

_STEPS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """The levels of the gate for one of the metrics that gate together, and the loss that it tolerates.

    ``first`` is the family's level; the metric that falls must meet its share of it. ``second`` is the level of
    a second look.
    """

    margin: float
    first: float
    second: float = 0.05
    passing: float = 0.05
    metrics: int = 1


def power(population: Population, design: Design, levels: Levels, drop: float) -> float:
    """Chance that a drop of this size, in points, stops the merge.

    >>> from pytest_agenteval.stats.scatter import Scatter
    >>> design = Design(cases=200, screen=3, held_back=3)
    >>> power(PassFail.assumed(Scatter.of_flips(0.1)), design, Levels(margin=0.02, first=0.05), 0.1) > 0.9
    True
    """
    found = 0.0
    for mechanism in MECHANISMS:
        chance = np.random.Generator(np.random.PCG64(_seed("power", mechanism)))
        looks = population.looks(design, Drop(size=drop, mechanism=mechanism), DRAWS, chance)
        stopped = np.ones(DRAWS, bool)
        for look, alpha in zip(looks, (levels.first / levels.metrics, levels.second), strict=False):
            stopped &= regressed(look.p, look.sums.delta, alpha, levels.margin)
        found += float(stopped.mean()) / len(MECHANISMS)
    return found


def smallest_drop(population: Population, design: Design, levels: Levels, wanted: float = 0.8) -> float | None:
    """The smallest drop, in points, that is found with this probability; None where not even a total loss is."""
    low, high = levels.margin, population.level
    if high <= low or power(population, design, levels, high) < wanted:
        return None
    # A drop shows far below a total loss; halving on the log scale is as exact for small ones.
    low = max(low, high * 1e-4)
    for _ in range(_STEPS + 2):
        middle = math.sqrt(low * high)
        if power(population, design, levels, middle) < wanted:
            low = middle
        else:
            high = middle
    return high


def passing(population: Population, design: Design, levels: Levels) -> float:
    """Chance that a run in which nothing changed passes."""
    if design.cases < MIN_CASES_TO_PASS:
        return 0.0
    chance = np.random.Generator(np.random.PCG64(_seed("passing")))
    one = replace(design, held_back=0)
    [look] = population.looks(one, Drop(size=0.0, mechanism="all"), DRAWS, chance)
    excluded = excludes_margin(
        look.sums,
        levels.margin,
        one_value_each=isinstance(population, PassFail) and design.attempts == design.screen == 1,
        width=population.width if isinstance(population, Graded) else 1.0,
        alpha=levels.passing,
    )
    return float(excluded.mean())


def cases_to_find(
    population: Population, design: Design, levels: Levels, drop: float, wanted: float = 0.8
) -> int | None:
    """How many cases like these find a drop of this size with this probability; None where no million does."""
    return _fewest(lambda cases: power(population, replace(design, cases=cases), levels, drop) >= wanted)


def cases_to_pass(population: Population, design: Design, levels: Levels, wanted: float = 0.8) -> int | None:
    """How many cases like these let a run that changed nothing pass with this probability."""
    return _fewest(lambda cases: passing(population, replace(design, cases=cases), levels) >= wanted)


def _fewest(enough: Callable[[int], bool]) -> int | None:
    """The fewest cases that are enough, to within one in fifty."""
    low, high = 0, MIN_CASES_TO_PASS
    while not enough(high):
        low, high = high, 2 * high
        if high > MOST_CASES:
            return None
    while high - low > max(1, high // 50):
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


@cache
def _seed(*words: str) -> int:
    return stable_seed(["planning", *words])
