"""Are these numbers fit to be counted? Refusals at the door, the same for every module of the room."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from typing import Final

_HALF: Final = 0.5


def finite_values(values: Iterable[float], what: str, *, at_least: int = 1) -> list[float]:
    """Return the values as plain floats, -0.0 as 0.0; a missing score must have been taken out before.

    Raises ValueError for NaN or infinity, and for fewer than ``at_least`` values.

    >>> finite_values([1, -0.0], "scores")
    [1.0, 0.0]
    """
    numbers = [float(value) + 0.0 for value in values]
    if not all(map(math.isfinite, numbers)):
        position, number = next((place, one) for place, one in enumerate(numbers) if not math.isfinite(one))
        msg = f"{what}[{position}] is {number}: take missing scores out first and count them"
        raise ValueError(msg)
    if len(numbers) < at_least:
        msg = f"{what} has {len(numbers)} values, {at_least} are needed: report it as not evaluated instead"
        raise ValueError(msg)
    return numbers


def unit_values(values: Iterable[float], what: str, *, at_least: int = 1) -> list[float]:
    """Return finite values, each of which lies in [0, 1].

    >>> unit_values([0, 0.5, True], "scores")
    [0.0, 0.5, 1.0]
    """
    numbers = finite_values(values, what, at_least=at_least)
    for position, number in enumerate(numbers):
        if not 0.0 <= number <= 1.0:
            msg = f"{what}[{position}] is {number}, outside [0, 1]: rescale it by the metric's range first"
            raise ValueError(msg)
    return numbers


def fraction(value: float, what: str) -> float:
    """Return a level, such as a confidence: strictly between 0 and 1.

    >>> fraction(0.95, "confidence")
    0.95
    """
    if not 0.0 < value < 1.0:
        msg = f"{what} is {value}, it must lie strictly between 0 and 1 (95 % is 0.95)"
        raise ValueError(msg)
    return float(value)


def one_sided_level(value: float, what: str = "alpha") -> float:
    """Return the level of a one-sided bound: below one half, or the bound would cross its estimate.

    >>> one_sided_level(0.05)
    0.05
    """
    if not 0.0 < value < _HALF:
        msg = f"{what} is {value}, it must lie strictly between 0 and 0.5 (a 95 % one-sided bound has 0.05)"
        raise ValueError(msg)
    return float(value)


def positive(value: float, what: str) -> float:
    """Return a finite number above zero.

    >>> positive(2, "margin")
    2.0
    """
    if not (math.isfinite(value) and value > 0.0):
        msg = f"{what} is {value}, it must be a finite number above 0"
        raise ValueError(msg)
    return float(value)


def whole(value: int, what: str, *, low: int = 0, high: int | None = None) -> int:
    """Return a count in [low, high]; a float is refused, since counts are never rebuilt from shares.

    >>> whole(3, "k", high=5)
    3
    """
    try:
        number = operator.index(value)
    except TypeError:
        msg = f"{what} is {value!r}, it must be a whole number: count, do not multiply a share"
        raise ValueError(msg) from None
    if number < low or (high is not None and number > high):
        msg = f"{what} is {number}, it must lie in [{low}, {'…' if high is None else high}]"
        raise ValueError(msg)
    return number


def choice(value: str, what: str, known: Iterable[str]) -> str:
    """Return the value if it is one of the known words.

    >>> choice("holm", "method", ["holm", "bh"])
    'holm'
    """
    words = list(known)
    if value not in words:
        msg = f"{what} is {value!r}, known are: {', '.join(words)}"
        raise ValueError(msg)
    return value
