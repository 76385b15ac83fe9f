"""An approval of loosenings: written as one text, and read back only as it was written."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pytest_agenteval.errors import BaselineError
from pytest_agenteval.model.change import Change
from pytest_agenteval.model.loosening import Loosening, LooseningApproval
from pytest_agenteval.store.approvals import approval_of, approval_path, approval_text, write_approval
from pytest_agenteval.store.audit import Audit

AT = datetime(2026, 11, 24, tzinfo=UTC)
ONE = Loosening(guard="floor", suite="s", metric="success", what="floor", before="0.8", after="0.7")
TWO = Loosening(guard="case_removed", suite="s", what="case 'ü'", before="f", after="not asked")


def approval(*loosenings: Loosening) -> LooseningApproval:
    return LooseningApproval(
        owner="Dana", reason="meant", at=AT, expires=AT + timedelta(days=30), loosenings=loosenings or (ONE, TWO)
    )


def test_what_is_written_is_read_back() -> None:
    assert approval_of(approval_text(approval()), "a.json") == approval()


def test_each_loosening_stands_there_with_its_digest() -> None:
    rows = json.loads(approval_text(approval()))["loosenings"]
    assert [row["digest"] for row in rows] == [ONE.digest, TWO.digest]


def test_the_name_of_the_file_is_a_digest_of_what_is_allowed_whatever_its_order(tmp_path: Path) -> None:
    path = approval_path(tmp_path, approval())
    assert path.parent == tmp_path / "approvals"
    assert len(path.stem) == 16
    assert approval_path(tmp_path, approval(TWO, ONE)) == path
    assert approval_path(tmp_path, approval(ONE)) != path


def test_writing_one_is_on_the_audit_record(tmp_path: Path) -> None:
    audit = Audit(tmp_path / "audit")
    change = Change(at=AT, actor="Dana", action="loosening.approve", subject="s/success", reason="meant")
    path = write_approval(tmp_path / "baselines", approval(), change, audit)
    assert approval_of(path.read_text("utf-8"), str(path)) == approval()
    assert [record.change.action for record in audit.records()] == ["loosening.approve"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"0.7"', '"0.1"'),
        ("agenteval-approval/1", "agenteval-approval/2"),
        ('"owner": "Dana"', '"owner": ""'),
        ('"owner"', '"ownr"'),
        ("2026-12-24", "2027-12-24"),
        ('"digest"', '"digests"'),
        ('"loosenings": [', '"loosenings": [3, '),
        (
            "{",
            "[",
        ),
    ],
)
def test_what_was_changed_by_hand_is_refused_with_the_command_to_type(old: str, new: str) -> None:
    text = approval_text(approval())
    assert old in text
    with pytest.raises(BaselineError, match=r"a\.json"):
        approval_of(text.replace(old, new, 1), "a.json")
