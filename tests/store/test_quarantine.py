"""Quarantined cases are clean to review and strict when read."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agenteval.errors import IntegrityError, InvalidValue, QuarantineError
from pytest_agenteval.model.quarantine import QuarantinedCase, standing
from pytest_agenteval.store.audit import Audit
from pytest_agenteval.store.quarantine import Quarantines, read_quarantine, text_of
from tests.store.rows import AT, change

ENTRY = QuarantinedCase(
    case="late",
    owner="Dana",
    since="2026-11-24",
    until="2026-12-24",
    reason="the search is rebuilt",
    run="01JD",
    metric="success",
    values=(1.0, 0.0, 0.0),
)
TEXT = """\
{
  "schema": "agenteval-quarantine/1",
  "suite": "refunds",
  "cases": {
    "early": {"metric": "f1", "owner": "Kim", "reason": "é", "run": "01JD", "since": "2026-11-24", \
"until": "2026-11-24", "values": [0.25, 1]},
    "late": {"metric": "success", "owner": "Dana", "reason": "the search is rebuilt", "run": "01JD", \
"since": "2026-11-24", "until": "2026-12-24", "values": [1, 0, 0]}
  }
}
"""
ENTRIES = (
    replace(ENTRY, case="early", owner="Kim", until=ENTRY.since, reason="é", metric="f1", values=(0.25, 1.0)),
    ENTRY,
)


@pytest.fixture
def store(tmp_path: Path) -> Quarantines:
    return Quarantines(tmp_path / "quarantine", Audit(tmp_path / "audit" / "changes.jsonl"))


def test_the_file_has_a_line_a_case_and_always_the_same_bytes(store: Quarantines) -> None:
    path = store.write("refunds", reversed(ENTRIES), change())
    assert path == store.root / "refunds.json"
    assert path.read_text("utf-8") == TEXT


def test_what_was_written_is_read(store: Quarantines) -> None:
    for suite in ("refunds[gpt]", "ünï/../x"):
        store.write(suite, ENTRIES, change())
        assert store.read(suite) == ENTRIES
    assert list(store.all()) == ["refunds[gpt]", "ünï/../x"]


def test_a_suite_without_a_file_and_one_whose_last_case_was_released_have_no_quarantined_case(
    store: Quarantines,
) -> None:
    assert store.read("refunds") == ()
    store.write("refunds", [], change())
    assert store.read("refunds") == ()
    assert store.all() == {"refunds": ()}


def test_the_change_stands_in_the_audit_log_before_the_file_is_written(store: Quarantines, tmp_path: Path) -> None:
    (tmp_path / "audit").mkdir()
    (tmp_path / "audit" / "changes.jsonl").write_text("torn")
    with pytest.raises(IntegrityError):
        store.write("refunds", ENTRIES, change())
    assert store.read("refunds") == ()


@pytest.mark.parametrize(
    ("moment", "held"),
    [
        ("2026-11-23T23:59:59", set()),
        ("2026-11-24T00:00:00", {"early", "late"}),
        ("2026-11-25T00:00:00", {"late"}),
        ("2026-12-24T23:59:59", {"late"}),
        ("2026-12-25T00:00:00", set()),
    ],
)
def test_a_case_is_quarantined_from_its_first_day_to_its_last_both_of_utc(moment: str, held: set[str]) -> None:
    at = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert standing(read_quarantine(TEXT, "file")[1], at).cases == held


def test_whose_time_is_over_counts_again_and_says_so() -> None:
    later = datetime(2026, 12, 25, tzinfo=UTC)
    assert (ENTRY.expired(AT), ENTRY.expired(later)) == (False, True)
    assert ENTRY.whose == "Dana, until 2026-12-24"
    assert ENTRY.over == ("expired on 2026-12-24: it counts again. Dana mends the case or renews the quarantine")
    assert ENTRY.evidence == "success 1, 0, 0 in run 01JD"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"until": "2027-02-23"}, "at most 90 days"),
        ({"until": "2026-11-23"}, "not from 2026-11-24 until 2026-11-23"),
        ({"until": "20261224"}, "'20261224' is not a day; write it like 2026-11-24"),
        ({"until": "soon"}, "'soon' is not a day"),
        ({"owner": " "}, "empty: owner"),
        ({"reason": ""}, "empty: reason"),
        ({"values": (1.0, 1.0)}, "measured flaky, which [1.0, 1.0] does not say"),
        ({"values": (1.0,)}, "measured flaky"),
        ({"values": ()}, "measured flaky"),
        ({"values": (1.0, float("nan"))}, "measured flaky"),
    ],
)
def test_an_entry_that_is_not_complete_measured_and_short_is_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidValue) as raised:
        replace(ENTRY, **fields)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"owner": "Dana", ', "", "file:6: case 'late': a QuarantinedCase needs the key 'owner'"),
        ('"owner": "Dana"', '"ownr": "Dana"', "file:6: case 'late': unknown key 'ownr'"),
        ('"owner": "Dana"', '"owner": "Dana", "case": "x"', "file:6: case 'late': unknown key 'case'"),
        ('"2026-12-24"', '"2027-12-24"', "file:6: case 'late': a case is quarantined for at most 90 days"),
        ("[1, 0, 0]", "[0, 0, 0]", "file:6: case 'late': a quarantined case was measured flaky"),
        ("[1, 0, 0]", '"yes"', "file:6: case 'late': values of a QuarantinedCase: a list is due"),
        ('"late": {', '"late": 3, "x": {', "file:6: case 'late': a QuarantinedCase is an object"),
        ('"late"', '"early"', "file:6: the key 'early' stands twice"),
        ('"cases"', '"case"', "file: unknown key 'case'"),
        ('  "suite": "refunds",\n', "", "file: the key 'suite' is missing"),
        ('"refunds"', "3", "file: 'cases' is an object by case id, and 'suite' a text"),
        ("quarantine/1", "quarantine/2", "can be read. Upgrade pytest-agenteval"),
        ("agenteval-quarantine/1", "other/1", "can be read. Make one with: pytest-agenteval quarantine add"),
        ('    "late"', '<<<<<<< ours\n    "late"', "file:6: git left a conflict here"),
        ('"suite"', "suite", "file:3:3: not JSON"),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_its_line(old: str, new: str, said: str) -> None:
    assert old in TEXT
    with pytest.raises(QuarantineError) as raised:
        read_quarantine(TEXT.replace(old, new), "file")
    assert said in str(raised.value)


def test_a_file_that_stands_in_another_suite_s_place_is_refused(store: Quarantines) -> None:
    store.root.mkdir()
    (store.root / "billing.json").write_text(TEXT)
    with pytest.raises(QuarantineError, match="is the quarantine of refunds, and stands where that of billing is due"):
        store.read("billing")


def test_a_link_is_refused(store: Quarantines, tmp_path: Path) -> None:
    store.root.mkdir()
    (tmp_path / "elsewhere").write_text(TEXT)
    (store.root / "refunds.json").symlink_to(tmp_path / "elsewhere")
    for ask in (store.all, lambda: store.read("refunds"), lambda: store.write("refunds", (), change())):
        with pytest.raises(QuarantineError, match="symbolic link"):
            ask()


@given(
    st.dictionaries(
        st.text(min_size=1).filter(str.strip),
        st.lists(st.floats(0, 1), min_size=2, unique=True),
        max_size=4,
    )
)
def test_any_entries_come_back_from_their_text(made: dict[str, list[float]]) -> None:
    entries = [replace(ENTRY, case=case, values=tuple(values)) for case, values in sorted(made.items())]
    text = text_of("refunds", entries)
    assert read_quarantine(text, "file") == ("refunds", tuple(entries))
    assert len(json.loads(text)["cases"]) == len(entries)
