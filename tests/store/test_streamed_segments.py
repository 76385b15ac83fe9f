"""A segment can be gone through and written trial by trial; it holds what a whole one holds."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from pytest_agenteval.errors import HistoryError
from pytest_agenteval.model.estimate import Estimate
from pytest_agenteval.model.run import FinishedRun, Run, StoredTrials
from pytest_agenteval.store.history import History
from pytest_agenteval.store.history.segments import read_segment, write_segment
from pytest_agenteval.store.history.stream import SegmentWriter, open_segment
from tests.store.rows import AT, score, trial

RUN = Run(id="one", started=AT)
MADE = FinishedRun(
    run=RUN,
    trials=[trial(case, attempt=n, scores=(score(n == 1),)) for case in "abc" for n in (1, 2)],
    second_look=[trial("b", id="again")],
    unneeded=[trial("c", id="late", attempt=3)],
    estimates=(Estimate(suite="refunds", metric="success", n=3, value=0.5),),
)


def streamed(root: Path, finished: FinishedRun = MADE) -> Path:
    with SegmentWriter(root, finished.run) as segment:
        for one in finished.trials:
            segment.add(one)
        for name in ("second_look", "unneeded"):
            for one in getattr(finished, name):
                segment.add(one, aside=name)
        return segment.seal(finished.estimates)


def test_what_is_written_trial_by_trial_is_what_is_written_at_once(tmp_path: Path) -> None:
    path = streamed(tmp_path)
    assert gzip.decompress(path.read_bytes()) == gzip.decompress(write_segment(tmp_path / "x", MADE).read_bytes())
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_what_is_gone_through_is_what_is_read_at_once(tmp_path: Path) -> None:
    path = write_segment(tmp_path, MADE)
    opened, read = open_segment(path), read_segment(path)
    for name in ("trials", "second_look", "unneeded"):
        assert list(getattr(opened, name)) == list(getattr(read, name)) == list(getattr(opened, name))
    assert (opened.run, opened.estimates, opened.suites()) == (read.run, read.estimates, read.suites())
    assert list(opened.of_suite("refunds")) == read.of_suite("refunds")
    assert list(opened.of_suite("billing")) == []


def test_stored_trials_are_counted_and_found_without_being_held(tmp_path: Path) -> None:
    trials = open_segment(write_segment(tmp_path, MADE)).trials
    assert (bool(trials), len(trials), trials[1], trials[-1]) == (True, 6, MADE.trials[1], MADE.trials[-1])
    assert not StoredTrials(lambda: iter([]))
    with pytest.raises(IndexError):
        trials[6]


def test_a_segment_is_written_once_and_one_that_was_given_up_leaves_nothing(tmp_path: Path) -> None:
    path = streamed(tmp_path)
    before = path.read_bytes()
    with pytest.raises(HistoryError, match="a run's segment is written once"):
        streamed(tmp_path)
    with SegmentWriter(tmp_path, Run(id="two", started=AT)) as segment:
        segment.add(MADE.trials[0])
    assert {one: one.read_bytes() for one in path.parent.iterdir()} == {path: before}


def test_trials_out_of_order_are_no_sound_segment(tmp_path: Path) -> None:
    path = streamed(tmp_path, FinishedRun(run=RUN, trials=MADE.trials[::-1]))
    with pytest.raises(HistoryError, match="its trials are not in order"):
        list(open_segment(path).trials)
    history = History(tmp_path, tmp_path / "index")
    assert history.runs() == []
    assert "stands behind" in history.problems()[0]


def test_a_streamed_run_is_found_in_the_history(tmp_path: Path) -> None:
    history = History(tmp_path / "history", tmp_path / "index")
    with history.writer(RUN) as segment:
        for one in MADE.trials:
            segment.add(one)
        segment.seal(MADE.estimates)
    assert list(history.open("one").trials) == list(MADE.trials)
    assert history.case_scores("one", "refunds")["success"]["a"].values == (1.0, 0.0)
