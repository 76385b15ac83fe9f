"""A loosening: one way in which a change would lower the bar that it is judged by; and who allows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pytest_agenteval.errors import InvalidValue
from pytest_agenteval.model.jsonvalue import digest

LONGEST_DAYS: Final = 90
"""An approval of loosenings is good for no longer than this."""

WHOLE_SUITE: Final = "*"
"""Stands for the metric of what concerns a whole suite, and for the suite of what concerns them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loosening:
    """What is looser in the head than in the base, found by one guard.

    >>> one = Loosening(guard="floor", suite="refunds", metric="success", what="floor", before="0.8", after="0.7")
    >>> one.words
    'floor: 0.8 in the base, 0.7 here'
    >>> len(one.digest)
    64
    """

    guard: str
    suite: str = WHOLE_SUITE
    metric: str = WHOLE_SUITE
    what: str
    before: str
    after: str

    @property
    def digest(self) -> str:
        """SHA-256 of all that is said here: an approval is of exactly this."""
        return digest([self.guard, self.suite, self.metric, self.what, self.before, self.after], length=64)

    @property
    def words(self) -> str:
        """What it is, before and after."""
        return f"{self.what}: {self.before} in the base, {self.after} here"


@dataclass(frozen=True, slots=True, kw_only=True)
class LooseningApproval:
    """Who allows which loosenings, why, and until when. It counts once it stands in the base."""

    owner: str
    reason: str
    at: datetime
    expires: datetime
    loosenings: tuple[Loosening, ...]

    def __post_init__(self) -> None:
        empty = [name for name in ("owner", "reason") if not getattr(self, name).strip()]
        if empty or not self.loosenings:
            message = f"an approval names its {empty[0] if empty else 'loosenings'}, and this one does not"
            raise InvalidValue(message)
        if not timedelta(0) < self.expires - self.at <= timedelta(days=LONGEST_DAYS):
            message = f"an approval expires after at most {LONGEST_DAYS} days, not from {self.at} to {self.expires}"
            raise InvalidValue(message)

    @property
    def digests(self) -> frozenset[str]:
        """The digests of what it allows."""
        return frozenset(one.digest for one in self.loosenings)
