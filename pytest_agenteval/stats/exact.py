"""Which sums, ties and seeds are the same on every machine and in every order of the records?"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import Final

from pytest_agenteval.stats.checks import finite_values

TIE: Final = 1e-12
"""Two numbers nearer than this (relative to the limit, at least absolute) count as equal."""

_UNIT_SEPARATOR: Final = "\x1f"


def exact_mean(values: Sequence[float]) -> float:
    """Mean of at least one finite value; the same bits whatever the order, never outside [min, max].

    Source: Shewchuk (1997), exactly rounded summation (``math.fsum``). NaN is refused, not skipped.

    >>> exact_mean([1e16, 1.0, -1e16, 1.0])
    0.5
    """
    numbers = finite_values(values, "values")
    # The division may round one bit past the extremes: three times 0.1 must have mean 0.1.
    return min(max(math.fsum(numbers) / len(numbers), min(numbers)), max(numbers))


def sample_variance(values: Sequence[float]) -> float:
    """Variance with divisor n - 1 of at least two finite values; order-free; exactly 0 for equal values.

    >>> sample_variance([1.0, 2.0, 3.0])
    1.0
    """
    numbers = finite_values(values, "values", at_least=2)
    mean = exact_mean(numbers)
    return math.fsum((number - mean) * (number - mean) for number in numbers) / (len(numbers) - 1)


def exceeds(value: float, limit: float) -> bool:
    """Say whether a value lies above a limit by more than rounding: a tie raises no alarm.

    >>> exceeds(0.1 + 0.2, 0.3), exceeds(0.31, 0.3)
    (False, True)
    """
    return value - limit > TIE * max(1.0, abs(limit))


def whole_units(values: Sequence[float], bits: int = 40) -> list[int]:
    """The values as multiples of one small unit, so that sums are exact and what differs by rounding alone is tied.

    40 bits for the largest of them: about the 12 significant digits that a score is good for.

    >>> whole_units([0.3, 0.1 + 0.2 - 0.3], bits=4)
    [10, 0]
    """
    exponent = math.frexp(max(map(abs, values)))[1]
    return [round(math.ldexp(value, bits - exponent)) for value in values]


def stable_seed(parts: Sequence[str]) -> int:
    """64-bit seed from words such as run id, metric and purpose; never from ``hash`` or global state.

    First 8 bytes, big-endian, of the SHA-256 of the words joined by U+001F. Raises ValueError for no
    words, and for a word that holds the separator (two lists of words would share a seed).

    >>> stable_seed(["run-1", "accuracy", "bootstrap"])
    5822139780081170667
    """
    if not parts or isinstance(parts, str) or any(_UNIT_SEPARATOR in part for part in parts):
        msg = f"seed parts are {parts!r}: give a list of words, none of which holds U+001F"
        raise ValueError(msg)
    digest = hashlib.sha256(_UNIT_SEPARATOR.join(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big")
