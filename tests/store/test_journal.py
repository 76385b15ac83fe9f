"""A run's journal survives what befalls its process."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agenteval.errors import IntegrityError
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.store.journal import Journal, read_journals
from pytest_agenteval.store.redaction import Redaction, SafeTrial
from tests.store.rows import AT, score, trial

ROOT = Path(__file__).parents[2]
KILLED = """
import os, pathlib, sys
from tests.store.test_journal import safe
from tests.store.rows import trial
from pytest_agenteval.store.journal import Journal
journal = Journal(pathlib.Path(sys.argv[1]))
for name in "abc":
    journal.called(safe(trial(name)))
os._exit(1)
"""


def safe(raw: Trial) -> SafeTrial:
    return Redaction([]).trial(raw)


def journal_of(folder: Path, *trials: Trial, name: str = "main") -> Path:
    journal = Journal(folder, name)
    for one in trials:
        journal.called(safe(replace(one, scores=())))
        if one.scores:
            journal.scored(safe(one), one.scores)
    journal.close()
    return journal.path


def test_what_was_written_is_read_in_canonical_order(tmp_path: Path) -> None:
    first, second, third = trial("b"), trial("a", attempt=2), trial("a", attempt=10)
    journal_of(tmp_path, third, first, second)
    content = read_journals(tmp_path)
    assert content.trials == [second, third, first]
    assert content.n_torn == 0


def test_scores_of_all_lines_of_a_trial_are_joined(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.called(safe(trial()))
    journal.scored(safe(trial()), [score(1.0)])
    journal.scored(safe(trial()), [score(None, "steps")])
    journal.close()
    [found] = read_journals(tmp_path).trials
    assert found == trial().with_scores([score(1.0), score(None, "steps")])


def test_a_trial_that_is_made_anew_begins_without_scores(tmp_path: Path) -> None:
    journal_of(tmp_path, trial().with_scores([score(1.0)]), trial())
    assert read_journals(tmp_path).trials == [trial()]


def test_each_process_has_a_file_of_its_own(tmp_path: Path) -> None:
    journal_of(tmp_path, trial("a"), name="gw0")
    journal_of(tmp_path, trial("b"), name="gw1")
    assert [found.case.id for found in read_journals(tmp_path).trials] == ["a", "b"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["journal-gw0.jsonl", "journal-gw1.jsonl"]


def test_of_two_calls_of_one_attempt_the_scored_one_counts_and_then_the_later(tmp_path: Path) -> None:
    later = replace(trial(), id="later", at=AT + timedelta(seconds=1))
    scored = trial().with_scores([score(1.0)])
    journal_of(tmp_path, scored, later)
    assert read_journals(tmp_path).trials == [scored]
    journal_of(tmp_path, later.with_scores([score(0.0)]), name="resumed")
    assert [found.id for found in read_journals(tmp_path).trials] == ["later"]


@pytest.mark.parametrize(
    "bad",
    [
        b'{"event":"called","trial":{"id"',
        b"\xff\xfe\n",
        b"[]\n",
        b'{"event":"called"}\n',
        b'{"event":"other","trial":{}}\n',
        b'{"event":"scored","id":"of no trial","scores":[]}\n',
        b'{"event":"called","trial":{"id":NaN}}\n',
        b'{"event":"called","trial":{"id":"x","case":{"id":"x","input":1},"trajectory":{}}}\n',
    ],
)
def test_a_bad_line_is_counted_and_hides_nothing(bad: bytes, tmp_path: Path) -> None:
    path = journal_of(tmp_path, trial("a"))
    path.write_bytes(bad.rstrip(b"\n") + b"\n" + path.read_bytes() + bad)
    journal_of(tmp_path, trial("b"))
    content = read_journals(tmp_path)
    assert [found.case.id for found in content.trials] == ["a", "b"]
    assert content.n_torn == 2


def test_what_a_killed_process_has_written_is_there(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False, cwd=ROOT)
    assert killed.returncode == 1
    assert [found.case.id for found in read_journals(tmp_path).trials] == ["a", "b", "c"]


@given(cut=st.integers(0, 3000))
def test_however_much_is_cut_off_the_whole_lines_are_read(cut: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("cut")
    path = journal_of(folder, *(trial(name) for name in "abcdef"))
    path.write_bytes(path.read_bytes()[: -cut or None])
    content = read_journals(folder)
    assert len(content.trials) == path.read_bytes().count(b"\n")
    assert content.n_torn == (not path.read_bytes().endswith(b"\n") and path.stat().st_size > 0)


def test_a_folder_that_cannot_be_made_is_an_integrity_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(IntegrityError, match=r"journal-main\.jsonl could not be opened"):
        Journal(tmp_path / "file" / "run")


def test_a_run_without_journals_has_no_trials(tmp_path: Path) -> None:
    assert read_journals(tmp_path / "nothing").trials == []
