"""The ISO week of an instant: of UTC, on every machine, in every zone."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agenteval.model.run import week_of

instants = st.datetimes(datetime(1970, 1, 1), datetime(2100, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001  # bounds


@given(instants)
def test_the_week_holds_the_day_between_its_monday_and_its_sunday(at: datetime) -> None:
    year, week = week_of(at).split("-W")
    monday = date.fromisocalendar(int(year), int(week), 1)
    assert monday <= at.date() <= monday + timedelta(days=6)


@given(instants, st.integers(-14 * 60, 14 * 60))
def test_the_zone_in_which_an_instant_is_told_does_not_matter(at: datetime, minutes: int) -> None:
    assert week_of(at.astimezone(timezone(timedelta(minutes=minutes)))) == week_of(at)


@given(instants, instants)
def test_weeks_sort_like_the_instants(one: datetime, other: datetime) -> None:
    assert (week_of(min(one, other)), week_of(max(one, other))) == tuple(sorted([week_of(one), week_of(other)]))


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kathmandu", "Pacific/Kiritimati", "Australia/Lord_Howe"])
@given(st.integers(2020, 2030), st.integers(1, 12))
def test_a_change_of_the_clocks_moves_no_week(zone: str, year: int, month: int) -> None:
    local = datetime(year, month, 1, 1, 30, tzinfo=ZoneInfo(zone))
    for fold in (0, 1):
        instant = local.replace(fold=fold)
        assert week_of(instant) == week_of(instant.astimezone(UTC))


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/Los_Angeles"])
def test_the_machines_zone_does_not_matter(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert week_of(datetime(2026, 11, 22, 23, 59, 59, tzinfo=UTC)) == "2026-W47"
        assert week_of(datetime(2026, 11, 23, tzinfo=UTC)) == "2026-W48"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("day", "week"), [("2021-01-03", "2020-W53"), ("2024-12-30", "2025-W01"), ("2027-01-01", "2026-W53")]
)
def test_the_turn_of_the_year_belongs_to_the_week_of_its_thursday(day: str, week: str) -> None:
    assert week_of(datetime.fromisoformat(f"{day}T12:00:00+00:00")) == week
