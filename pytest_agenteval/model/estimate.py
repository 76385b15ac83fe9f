"""What a run says of one metric: the values per case, and the estimate with its interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pytest_agenteval.errors import InvalidValue


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseScores:
    """The values of one metric on one case, a value an attempt, and the digests of what was answered."""

    fingerprint: str
    values: tuple[float, ...]
    answers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, self.values)):
            message = f"the values of a case must be finite, not {self.values!r}"
            raise InvalidValue(message)

    @property
    def mean(self) -> float:
        """Mean over the attempts; there is at least one."""
        values = self.values
        return values[0] if len(values) == 1 else math.fsum(values) / len(values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A metric's value over a suite with its two-sided interval.

    ``n`` counts cases with a value, ``n_not_evaluated`` cases without one. ``value`` is None exactly when
    ``n`` is 0; ``low`` or ``high`` is None where the data give no such end. ``slice`` is empty for the
    whole suite.
    """

    suite: str
    metric: str
    metric_version: int = 1
    slice: str = ""
    n: int
    n_not_evaluated: int = 0
    value: float | None
    low: float | None = None
    high: float | None = None
    confidence: float = 0.95
    method: str = ""

    def __post_init__(self) -> None:
        if (self.value is None) != (self.n == 0):
            message = f"the estimate of {self.metric!r} has a value exactly when n > 0, not {self.value!r} of {self.n}"
            raise InvalidValue(message)
        ends = [end for end in (self.low, self.value, self.high) if end is not None]
        if ends != sorted(ends) or not all(map(math.isfinite, ends)):
            message = (
                f"the estimate of {self.metric!r} does not lie in its interval: {self.low}, {self.value}, {self.high}"
            )
            raise InvalidValue(message)
