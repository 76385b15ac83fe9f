"""Record, then decide: a stored run is judged and scored anew, and no agent is called."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pytest_agenteval.app.approve import Request, approve
from pytest_agenteval.app.judging import Judged
from pytest_agenteval.app.regate import judge_again, limits_of, told_alone, with_limits
from pytest_agenteval.app.registry import Registry
from pytest_agenteval.app.rescore import Rescore, Rescored, rescore
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.errors import HistoryError, MetricError, SettingsError
from pytest_agenteval.model.run import FinishedRun, week_of
from pytest_agenteval.pipeline.looks import GateMode
from tests.app.projects import AT, cases, finished, gate, outcomes, project, run, shop

LOOSE = gate("success = { floor = 0.5, margin = 0.05 }")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A project whose suite has an approved baseline of 60 cases, ten of them wrong."""
    made = project(tmp_path, LOOSE)
    run(made, cases(50, 10))
    approve(made, Request(suite="refunds", by="Dana", reason="good", at=AT))
    return made


def again(workspace: Workspace, judged: Judged, mode: GateMode = "merge", *limits: str) -> Judged:
    stored = workspace.history.read(judged.finished.run.id)
    return judge_again(with_limits(workspace, stored, limits_of(limits, stored)), stored, mode)


# gate


@pytest.mark.parametrize("agent", [shop, lambda text: "no" if "1" in text else shop(text)], ids=["same", "worse"])
@pytest.mark.parametrize("partial", [(), ("refunds",)], ids=["whole", "partial"])
def test_judged_anew_under_the_same_settings_a_run_gets_the_same_verdicts(
    workspace: Workspace, agent: object, partial: tuple[str, ...]
) -> None:
    judged = run(workspace, cases(50, 10), agent, partial=partial)
    anew = again(workspace, judged)
    assert anew.verdicts == judged.verdicts
    assert (anew.causes, anew.code, anew.not_evaluated) == (judged.causes, judged.code, judged.not_evaluated)
    assert anew.finished.run == judged.finished.run


def test_errors_of_the_agent_count_as_they_did(workspace: Workspace) -> None:
    judged = run(workspace, cases(50, 9, "crash"))
    assert outcomes(again(workspace, judged))["error_rate"] == "below_floor"


def test_a_higher_floor_makes_a_green_run_red(workspace: Workspace) -> None:
    judged = run(workspace, cases(50, 10))
    assert judged.code == 0
    anew = again(workspace, judged, "merge", "success.floor=0.95")
    assert (outcomes(anew)["success"], anew.code) == ("below_floor", 10)


def test_a_looser_bar_than_the_approved_one_is_loosened(workspace: Workspace) -> None:
    judged = run(workspace, cases(50, 10))
    assert outcomes(again(workspace, judged, "merge", "success.floor=0.4"))["success"] == "loosened"


def test_what_is_loosened_also_tells_what_its_limits_alone_would_have_said(workspace: Workspace) -> None:
    judged = run(workspace, cases(50, 10), lambda text: "no" if text in ("q1", "q2", "q3", "q4") else shop(text))
    stored = workspace.history.read(judged.finished.run.id)
    other = with_limits(workspace, stored, limits_of(["success.margin=0.3", "success.floor=0.4"], stored))
    told = told_alone(judge_again(other, stored, "merge"), stored, other, "merge")
    [found] = [one for one in told.verdicts if one.metric == "success"]
    assert (found.outcome, told.code) == ("loosened", 10)
    assert "; by these limits alone: pass (from 0.8333 to 0.7667" in found.message
    assert "a loss of 0.3 is excluded" in found.message
    assert found.next_step.startswith("Nothing was changed by this.")


def test_what_is_not_loosened_is_told_as_it_is(workspace: Workspace) -> None:
    judged = run(workspace, cases(50, 10))
    stored = workspace.history.read(judged.finished.run.id)
    anew = judge_again(workspace, stored, "merge")
    assert told_alone(anew, stored, workspace, "merge") is anew


def test_a_release_asks_for_more_than_a_merge(workspace: Workspace) -> None:
    judged = run(workspace, cases(50, 10))
    assert again(workspace, judged, "merge", "success.floor=0.8").code == 0
    assert again(workspace, judged, "release", "success.floor=0.8").code == 11


def test_limits_of_one_metric_are_joined_and_those_of_another_suite_stay(workspace: Workspace) -> None:
    stored = finished(workspace, cases(3))
    limits = limits_of(["success.floor=0.8", "success.margin=0.1", "error_rate.ceiling=0.2"], stored)
    assert limits == {"success": {"floor": 0.8, "margin": 0.1}, "error_rate": {"ceiling": 0.2}}
    other = with_limits(workspace, stored, limits).settings
    assert (other.gate_of("refunds")["success"].margin, other.gate_of("billing")) == (0.1, {})
    assert workspace.settings.gate_of("refunds")["success"].margin == 0.05


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("succes.floor=0.8", "did you mean 'success'?"),
        ("success.flor=0.8", "did you mean 'floor'?"),
        ("success=0.8", "did not measure ''"),
        ("success.floor=high", "'high' is no number"),
        ("success.floor", "'' is no number"),
    ],
)
def test_a_limit_that_cannot_be_set_is_told(workspace: Workspace, text: str, said: str) -> None:
    with pytest.raises(SettingsError, match="success") as told:
        limits_of([text], finished(workspace, cases(3)))
    assert said in str(told.value)


def test_a_run_that_is_not_there_is_told(workspace: Workspace) -> None:
    with pytest.raises(HistoryError, match=r"no run 'nothing'\. See: pytest-agenteval history list"):
        workspace.history.read("nothing")


def test_the_beginning_of_an_id_is_enough_where_one_run_has_it(workspace: Workspace) -> None:
    whole, longer = (finished(workspace, cases(3), id=name).run.id for name in ("friday", "friday-2"))
    assert workspace.history.read("friday-").run.id == longer
    assert workspace.history.read("friday").run.id == whole
    for text, said in {"fri": "2 runs begin with 'fri': friday, friday-2", "": "no run ''"}.items():
        with pytest.raises(HistoryError, match=said):
            workspace.history.read(text)


# rescore


def anew(workspace: Workspace, stored: FinishedRun, *metrics: str, stands: bool = False) -> Rescored:
    return rescore(workspace, Registry(), Rescore(run=stored.run.id, metrics=metrics, stands=stands))


def test_a_stored_run_gets_the_scores_that_the_metric_would_have_given(workspace: Workspace) -> None:
    stored = finished(workspace, cases(40, 5), metrics=["success"])
    both = finished(workspace, cases(40, 5), metrics=["success", "contains"])
    found = anew(workspace, stored, "contains").anew
    assert {one.metric: one.value for one in found.estimates if one.metric != "latency_seconds"} == {
        one.metric: one.value for one in both.estimates if one.metric != "latency_seconds"
    }
    assert set(found.run.specs) == set(both.run.specs)


def test_it_is_kept_as_a_run_of_its_own_dated_as_the_stored_one(workspace: Workspace) -> None:
    stored = finished(workspace, cases(3))
    found = anew(workspace, stored, "contains").anew
    kept = workspace.history.read(found.run.id)
    assert kept.run == found.run
    assert (kept.run.mode, kept.run.started, kept.run.ended) == ("rescored", stored.run.started, stored.run.ended)
    assert kept.run.id.startswith(stored.run.id)
    assert [trial.key for trial in kept.trials] == [trial.key for trial in stored.trials]
    assert workspace.history.find_trial(kept.trials[0].id).score("contains") is not None
    assert workspace.history.read(stored.run.id).trials == tuple(stored.trials)


def test_the_second_look_is_scored_anew_too_and_stands_aside(workspace: Workspace) -> None:
    stored = finished(workspace, cases(3))
    looked = replace(stored, run=replace(stored.run, id="looked"), second_look=stored.trials[:1])
    workspace.history.append(looked)
    found = anew(workspace, looked, "contains").anew
    assert [trial.score("contains") is not None for trial in found.second_look] == [True]
    assert len(found.trials) == 3


@pytest.mark.parametrize("stands", [False, True])
def test_it_stands_for_its_week_only_where_asked(workspace: Workspace, stands: bool) -> None:
    stored = finished(workspace, cases(3))
    found = anew(workspace, stored, "contains", stands=stands).anew
    week = week_of(stored.run.started)
    [value] = [one for one in workspace.history.week_values("refunds", "success") if one.week == week]
    assert value.run == (found.run.id if stands else stored.run.id)


def test_it_can_be_judged_and_approved(workspace: Workspace) -> None:
    stored = finished(workspace, cases(50, 10))
    found = anew(workspace, stored, "contains").anew
    approve(
        workspace,
        Request(suite="refunds", by="Dana", reason="new metric", at=AT, metrics=("contains",), run=found.run.id),
    )
    judged = judge_again(workspace, found, "merge")
    assert (outcomes(judged)["contains"], judged.code) == ("inconclusive:too few", 0)


def test_a_part_of_a_suite_stays_a_part(workspace: Workspace) -> None:
    stored = finished(workspace, cases(3), partial=["refunds"])
    assert anew(workspace, stored, "contains", stands=True).anew.run.partial == ("refunds",)


OWN = """
from pytest_agenteval import metric

@metric(kind="binary")
def says_yes(trial):
    return trial.output == "yes"

fixed = 3
"""


@pytest.mark.parametrize("named", ["own_metrics_of_a_test:says_yes", "checks/judges.py:says_yes"])
def test_a_metric_is_found_in_a_module_or_a_file(workspace: Workspace, tmp_path: Path, named: str) -> None:
    (tmp_path / "checks").mkdir()
    for file in ("own_metrics_of_a_test.py", "checks/judges.py"):
        (tmp_path / file).write_text(OWN, "utf-8")
    found = anew(workspace, finished(workspace, cases(3, 1)), named)
    [estimate] = [one for one in found.anew.estimates if one.metric == "says_yes"]
    assert (estimate.value, found.metrics) == (0.75, ("says_yes",))


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("contians", "did you mean 'contains'?"),
        ("checks.py:says_yess", "did you mean 'says_yes'?"),
        ("checks.py:fixed", "is no metric"),
        ("nothing.py:says_yes", "nothing.py cannot be read: FileNotFoundError"),
        ("nothing_of_that_name:says_yes", "cannot be read: ModuleNotFoundError"),
    ],
)
def test_a_metric_that_is_not_there_is_told_and_nothing_is_kept(
    workspace: Workspace, tmp_path: Path, named: str, said: str
) -> None:
    (tmp_path / "checks.py").write_text(OWN, "utf-8")
    stored, before = finished(workspace, cases(3)), len(workspace.history.runs())
    with pytest.raises(MetricError) as told:
        anew(workspace, stored, named)
    assert said in str(told.value)
    assert len(workspace.history.runs()) == before
