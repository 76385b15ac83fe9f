"""How do a metric's values scatter, between cases and from attempt to attempt? Four figures that a plan rests on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pytest_agenteval.stats.exact import exact_mean, sample_variance

ASSUMED_ICC: Final = 0.5
"""Share of the variance that lies between cases, where no case has two values to tell it."""

_LEAST_TO_DIFFER: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Scatter:
    """How a metric's values scatter, in the direction in which more is better.

    ``level`` is the mean above the worst value: what can be lost. ``between`` and ``within`` are the variances
    between cases and of the attempts at a case. ``unequal`` is the mean square of the cases' own variances over
    the square of their mean: 1 where all are equally noisy. ``pass_fail`` says that values are 0 and 1.
    """

    level: float
    between: float
    within: float
    unequal: float = 1.0
    pass_fail: bool = False

    @property
    def flips(self) -> float:
        """Chance that two runs disagree on a case (pass/fail)."""
        return 2.0 * self.within

    @classmethod
    def of_pass_fail(cls, cases: Sequence[tuple[int, int]]) -> Scatter:
        """From (values, right ones) of each case.

        One case's worth of the assumption is mixed in always: that no case flipped is no proof that none does.

        >>> round(Scatter.of_pass_fail([(6, 6)] * 80 + [(6, 3)] * 20).flips, 2)
        0.12
        """
        mean = (math.fsum(right / values for values, right in cases) + 0.5) / (len(cases) + 1)
        several = [case for case in cases if case[0] >= _LEAST_TO_DIFFER]
        seen = math.fsum(right * (values - right) / (values * (values - 1)) for values, right in several)
        whole = mean * (1.0 - mean)
        within = min((seen + (1.0 - ASSUMED_ICC) * whole) / (len(several) + 1), whole)
        return cls(level=mean, between=whole - within, within=within, pass_fail=True)

    @classmethod
    def of_flips(cls, flips: float) -> Scatter:
        """Where only the chance is given that two runs disagree on a case (at most .5): a high pass rate.

        >>> round(Scatter.of_flips(0.08).level, 2)
        0.91
        """
        whole = flips / (2.0 * (1.0 - ASSUMED_ICC))
        level = (1.0 + math.sqrt(max(1.0 - 4.0 * whole, 0.0))) / 2.0
        return cls(level=level, between=whole * ASSUMED_ICC, within=whole * (1.0 - ASSUMED_ICC), pass_fail=True)

    @classmethod
    def of_values(cls, cases: Sequence[Sequence[float]], worst: float | None = 0.0) -> Scatter:
        """From the values of each case; worst is None for a metric without bounds, whose level is its size."""
        means = [exact_mean(case) for case in cases]
        level = abs(exact_mean(means) - (worst or 0.0))
        spread = sample_variance(means) if len(means) > 1 else 0.0
        own = [sample_variance(case) for case in cases if len(case) >= _LEAST_TO_DIFFER]
        if not own:
            return cls(level=level, between=spread * ASSUMED_ICC, within=spread * (1.0 - ASSUMED_ICC))
        within = exact_mean(own)
        repeats = exact_mean([len(case) for case in cases if len(case) >= _LEAST_TO_DIFFER])
        # A case's variance is itself estimated from few values, which makes its square too large.
        square = exact_mean([one * one for one in own]) * (repeats - 1) / (repeats + 1)
        noise = within * exact_mean([1.0 / len(case) for case in cases])
        unequal = max(square / (within * within), 1.0) if within else 1.0
        return cls(level=level, between=max(spread - noise, 0.0), within=within, unequal=unequal)
