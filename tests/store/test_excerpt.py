"""A few trials of a run, read without decoding the others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pytest_agenteval.errors import HistoryError
from pytest_agenteval.model.run import FinishedRun, Run
from pytest_agenteval.model.trajectory import AgentIdentity
from pytest_agenteval.store.history.excerpt import read_some
from pytest_agenteval.store.history.segments import write_segment
from tests.store.rows import AT, score, trial

RUN = Run(id="one", started=AT)
TRIALS = [
    trial("a").with_scores([score(True)]),
    trial("b").with_scores([score(None)]),
    replace(trial("c"), trajectory=replace(trial("c").trajectory, agent=AgentIdentity(name="another"))),
    trial("a", suite="billing"),
]


def segment(root: Path) -> Path:
    return write_segment(root, FinishedRun(run=RUN, trials=TRIALS))


def test_the_trials_asked_for_are_those_of_the_segment(tmp_path: Path) -> None:
    segment(tmp_path)
    found = read_some(tmp_path, RUN, "refunds", {"a", "c", "nowhere"})
    assert found.trials == (TRIALS[0], TRIALS[2])


def test_all_agents_of_the_suite_are_told_whatever_trials_are_asked_for(tmp_path: Path) -> None:
    segment(tmp_path)
    found = read_some(tmp_path, RUN, "refunds", ())
    assert [agent.name for agent in found.agents] == ["another", "bot"]
    assert [agent.name for agent in read_some(tmp_path, RUN, "billing", ()).agents] == ["bot"]


def test_why_a_metric_has_no_value_is_told(tmp_path: Path) -> None:
    segment(tmp_path)
    assert read_some(tmp_path, RUN, "refunds", ()).reasons == {"success": "no steps were reported"}


@pytest.mark.parametrize("damaged", [b"", b"no gzip at all", b"\x1f\x8b\x08\x00"])
def test_a_damaged_segment_is_named(tmp_path: Path, damaged: bytes) -> None:
    path = segment(tmp_path)
    path.write_bytes(damaged)
    with pytest.raises(HistoryError, match=r"run-one.*not a sound segment"):
        read_some(tmp_path, RUN, "refunds", ())


def test_a_segment_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match=r"run-one.*Restore it"):
        read_some(tmp_path, RUN, "refunds", ())
