"""ISO weeks in UTC: check one, count on, and say it in dates."""

from __future__ import annotations

import re
from datetime import date, timedelta

from pytest_agenteval.errors import HistoryError

_WEEK = re.compile(r"(\d{4})-W(\d{2})\Z")


def monday_of(week: str) -> date:
    """The first day of an ISO week. Raises HistoryError where the year has no such week.

    >>> monday_of("2026-W53")
    datetime.date(2026, 12, 28)
    """
    found = _WEEK.match(week)
    try:
        if found is None:
            raise ValueError(week)
        return date.fromisocalendar(int(found[1]), int(found[2]), 1)
    except ValueError as error:
        message = f"{week!r} is no ISO week. Write the year and the week like 2026-W47"
        raise HistoryError(message) from error


def weeks_from(first: str, last: str) -> list[str]:
    """Each week from ``first`` to ``last``, both included.

    >>> weeks_from("2026-W52", "2027-W01")
    ['2026-W52', '2026-W53', '2027-W01']
    """
    day, end = monday_of(first), monday_of(last)
    return [(day + timedelta(weeks=n)).strftime("%G-W%V") for n in range((end - day).days // 7 + 1)]


def weeks_between(first: str, last: str) -> tuple[str, ...]:
    """The weeks between the two, neither included."""
    return tuple(weeks_from(first, last)[1:-1])


def days_of(week: str) -> str:
    """The week's days in words.

    >>> days_of("2026-W53")
    '28 December 2026 to 3 January 2027'
    """
    first = monday_of(week)
    last = first + timedelta(days=6)
    beginning = [f"{first.day}"]
    if (first.year, first.month) != (last.year, last.month):
        beginning.append(_MONTHS[first.month - 1])
    if first.year != last.year:
        beginning.append(f"{first.year}")
    return f"{' '.join(beginning)} to {last.day} {_MONTHS[last.month - 1]} {last.year}"


_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
