"""A recording holds each attempt once, in one order, and the same bytes each time."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_agenteval.errors import RecordingError
from pytest_agenteval.model.codec import decode
from pytest_agenteval.model.recording import RecordedTrial, RecordingHeader
from pytest_agenteval.model.trajectory import AgentIdentity
from pytest_agenteval.store.recordings import write_recording
from pytest_agenteval.store.redaction import Redaction, SafeTrial
from tests.store.rows import AT, score, trial

HEADER = RecordingHeader(agent=AgentIdentity(name="bot"), at=AT, suite="refunds", licence="Apache-2.0")


def trials(*names: str) -> list[SafeTrial]:
    return [Redaction([]).trial(trial(name).with_scores([score(1.0)])) for name in names]


@pytest.mark.parametrize("name", ["bot.jsonl", "bot.jsonl.gz"])
def test_the_lines_are_the_header_and_the_trials_in_order(name: str, tmp_path: Path) -> None:
    write_recording(tmp_path / name, HEADER, trials("b", "a"))
    content = (tmp_path / name).read_bytes()
    head, *rows = (gzip.decompress(content) if name.endswith(".gz") else content).decode().splitlines()
    assert json.loads(head)["schema"] == "agenteval-recording/1"
    assert decode(RecordingHeader, json.loads(head)) == HEADER
    recorded = [decode(RecordedTrial, json.loads(row)) for row in rows]
    assert [one.case for one in recorded] == ["a", "b"]
    assert [one.trajectory for one in recorded] == [trial("a").trajectory, trial("b").trajectory]
    assert recorded[0].fingerprint == trial("a").case.fingerprint


@pytest.mark.parametrize("name", ["bot.jsonl", "bot.jsonl.gz"])
def test_the_order_of_the_trials_does_not_matter(name: str, tmp_path: Path) -> None:
    write_recording(tmp_path / name, HEADER, trials("a", "b"))
    write_recording(tmp_path / f"again-{name}", HEADER, iter(trials("b", "a")))
    assert (tmp_path / name).read_bytes() == (tmp_path / f"again-{name}").read_bytes()


def test_what_cannot_be_replayed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="attempt 1 of case 'a' twice"):
        write_recording(tmp_path / "bot.jsonl", HEADER, trials("a", "a"))
    with pytest.raises(RecordingError, match="records suite 'other', and the trial of case 'a' is of suite 'refunds'"):
        write_recording(tmp_path / "bot.jsonl", replace(HEADER, suite="other"), trials("a"))
    with pytest.raises(RecordingError, match=r"ends in \.jsonl or \.jsonl\.gz, not as 'bot\.json' does"):
        write_recording(tmp_path / "bot.json", HEADER, trials("a"))
    assert list(tmp_path.iterdir()) == []
