"""A quarantined case: measured flaky, it does not gate for a while, and somebody mends it until then."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from pytest_agenteval.errors import InvalidValue

LONGEST_DAYS: Final = 90
"""A case is quarantined for no longer than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedCase:
    """A case that does not gate from ``since`` until ``until``, two UTC days that both belong to it.

    ``owner`` answers for mending it. ``values`` are what ``metric`` gave to its attempts in ``run``: they are
    not all equal, for a case is quarantined because it was measured flaky and for no other reason.

    >>> one = QuarantinedCase(case="late", owner="Dana", since="2026-11-24", until="2026-12-24", reason="upstream",
    ...                       run="r1", metric="success", values=(1.0, 0.0))
    >>> one.holds(datetime(2026, 12, 24, 23, tzinfo=UTC)), one.holds(datetime(2026, 12, 25, tzinfo=UTC))
    (True, False)
    """

    case: str
    owner: str
    since: str
    until: str
    reason: str
    run: str
    metric: str
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        missing = [name for name in ("case", "owner", "reason", "run", "metric") if not getattr(self, name).strip()]
        if missing:
            message = f"a quarantined case names its owner, the reason, the run and the metric; empty: {missing[0]}"
            raise InvalidValue(message)
        days = (checked_day(self.until) - checked_day(self.since)).days
        if not 0 <= days <= LONGEST_DAYS:
            message = (
                f"a case is quarantined for at most {LONGEST_DAYS} days, and not from {self.since} until {self.until}"
            )
            raise InvalidValue(message)
        if not all(map(math.isfinite, self.values)) or len(set(self.values)) <= 1:
            message = f"a quarantined case was measured flaky, which {list(self.values)} does not say"
            raise InvalidValue(message)

    def holds(self, at: datetime) -> bool:
        """Whether the case is quarantined at that instant."""
        return self.since <= day_of(at) <= self.until

    @property
    def evidence(self) -> str:
        """What was measured: 'success 1, 0, 1 in run 01JD'."""
        return f"{self.metric} {', '.join(f'{value:.4g}' for value in self.values)} in run {self.run}"

    @property
    def whose(self) -> str:
        """Who answers for the case, and until when it is quarantined."""
        return f"{self.owner}, until {self.until}"

    @property
    def over(self) -> str:
        """What follows where its time is over."""
        return f"expired on {self.until}: it counts again. {self.owner} mends the case or renews the quarantine"

    def expired(self, at: datetime) -> bool:
        """Whether its time is over."""
        return day_of(at) > self.until


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The quarantined cases of a suite at an instant: those in force, and those whose time is over."""

    held: tuple[QuarantinedCase, ...] = ()
    expired: tuple[QuarantinedCase, ...] = ()

    @property
    def cases(self) -> frozenset[str]:
        """The ids of the cases that are quarantined."""
        return frozenset(one.case for one in self.held)


def standing(entries: Iterable[QuarantinedCase], at: datetime) -> Standing:
    """The entries by what they mean at that instant; one whose first day is to come means nothing yet."""
    known = tuple(entries)
    return Standing(
        held=tuple(one for one in known if one.holds(at)),
        expired=tuple(one for one in known if one.expired(at)),
    )


def day_of(at: datetime) -> str:
    """The UTC day of an instant, as in ``2026-11-24``."""
    return at.astimezone(UTC).date().isoformat()


def days_after(day: str, days: int) -> str:
    """The day so many days later.

    >>> days_after("2026-12-24", 9)
    '2027-01-02'
    """
    return (checked_day(day) + timedelta(days=days)).isoformat()


def checked_day(text: str) -> date:
    """The date of a text like ``2026-11-24``. Raises InvalidValue for any other."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.isoformat() != text:
        message = f"{text!r} is not a day; write it like 2026-11-24"
        raise InvalidValue(message)
    return found
