"""The life of a run: its plan, its trials, what is kept of them, and which agent makes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_agenteval.agents import adapt
from pytest_agenteval.app.recording import record
from pytest_agenteval.app.registry import ALWAYS_MEASURED, Registry
from pytest_agenteval.app.runs import (
    Job,
    RunOptions,
    new_run_id,
    plan_of,
    run_folder,
    with_always_measured,
)
from pytest_agenteval.app.targets import Targets, parameter_of, the_recording
from pytest_agenteval.app.trials import Trials
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.contracts import Call
from pytest_agenteval.errors import AgentTargetError, MetricError, RecordingError
from pytest_agenteval.metrics.declare import metric
from pytest_agenteval.model.case import Case
from pytest_agenteval.model.run import Run
from pytest_agenteval.model.trajectory import Trajectory
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.pipeline.exits import INTEGRITY
from tests.app.projects import AT, CLOCK, cases, project, run, shop

CASE = Case(id="a", suite="refunds", input="hello", expect={"contains": ["yes"]})
Making = Callable[..., Trials]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return project(tmp_path)


@pytest.fixture
def making(workspace: Workspace) -> Making:
    """Makes the Trials of a run r1."""

    def make(**options: Any) -> Trials:
        begun = Run(id="r1", started=AT)
        return Trials(begun, workspace.settings, Registry(), RunOptions(**options), clock=CLOCK)

    return make


@metric
def length(trial: Trial) -> float:
    return min(1.0, len(str(trial.output)) / 100)


@metric(name="length", version=2)
def longer(trial: Trial) -> float:
    return 1.0


def job(case: Case = CASE, attempt: int = 1, *metrics: Any) -> Job:
    return Job(suite=case.suite, case=case, attempt=attempt, metrics=with_always_measured(metrics, Registry()))


# The plan.


def test_the_plan_holds_each_trial_once_whatever_number_of_items_shares_it() -> None:
    jobs = {"one": job(), "two": job(CASE, 1, "success"), "three": job(CASE, 2)}
    plan = plan_of(jobs)
    assert plan.keys() == {("refunds", "a", 1), ("refunds", "a", 2)}
    assert list(plan.specs) == sorted({*ALWAYS_MEASURED, "success"})
    assert plan.shares["one"] == plan.shares["two"] == plan.shares["three"]
    assert plan_of({"x": job(replace(CASE, id="b"))}).shares["x"] != plan.shares["one"]


def test_two_metrics_of_one_name_that_differ_are_told_once() -> None:
    jobs = {str(n): job(CASE, n, one) for n, one in enumerate([length, longer, length, longer], start=1)}
    plan = plan_of(jobs, partial=["b", "a", "b"], problems=["a file is broken"])
    assert plan.problems == (
        "a file is broken",
        "two metrics of this run are named 'length' but differ. Rename one of them",
    )
    assert plan.partial == ("a", "b")


def test_what_is_always_measured_stands_beside_what_a_test_names_and_none_twice() -> None:
    names = [one.spec.name for one in with_always_measured(["tokens", length], Registry())]
    assert names == ["tokens", "length", "error_rate", "latency_seconds", "cost_usd"]
    with pytest.raises(MetricError, match="there is no metric 'tokns'"):
        with_always_measured(["tokns"], Registry())


def test_ids_of_runs_sort_by_time_and_never_meet() -> None:
    ids = [new_run_id(CLOCK) for _ in range(20)]
    assert ids == sorted(ids)
    assert len(set(ids)) == 20


# The trials.


def test_items_with_the_same_key_share_the_trial_and_their_metrics_are_joined(making: Making) -> None:
    asked: list[str] = []

    def agent(text: str) -> str:
        asked.append(text)
        return "yes"

    trials = making()
    one, other = job(CASE, 1, "success"), job(CASE, 1, length)
    assert trials.finished(one) is None
    assert trials.trial(one, agent) is trials.trial(other, agent) is trials.finished(other)
    assert asked == ["hello"]
    first, second = trials.score(one), trials.score(other)
    assert first.score("success") is not None
    assert first.score("length") is None
    assert second.score("length") is not None
    trials.close()


def test_each_call_gets_a_seed_that_is_stable_for_case_and_attempt(making: Making) -> None:
    def agent(case: Case, attempt: int, seed: int) -> dict[str, int]:
        return {"attempt": attempt, "seed": seed}

    seen = []
    for _ in range(2):
        trials = making()
        seen.append([trials.trial(job(CASE, n), agent).output for n in (1, 2)])
        trials.close()
    assert seen[0] == seen[1]
    assert seen[0][0] != seen[0][1]


def test_what_is_kept_is_redacted_and_what_the_body_sees_is_not(
    making: Making, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_API_KEY", "hunter2-hunter2")
    trials = making()
    one = job(CASE, 1, "contains")
    assert trials.trial(one, lambda _: "yes, hunter2-hunter2").output == "yes, hunter2-hunter2"
    safe = trials.score(one)
    trials.close()
    assert safe.output == "yes, [redacted:SHOP_API_KEY]"
    [journal] = run_folder(workspace.settings, "r1").glob("journal-*.jsonl")
    text = journal.read_text("utf-8")
    assert "hunter2" not in text
    assert len(text.splitlines()) == 2


def test_a_trial_that_a_test_hands_over_has_no_time_but_its_own(making: Making) -> None:
    trials = making()
    assert trials.record(job(CASE, 1), shop, "yes").trajectory.seconds is None
    assert trials.record(job(CASE, 2), shop, Trajectory(output="x", seconds=2.5)).trajectory.seconds == 2.5
    judged = trials.record(job(CASE, 6), shop, Trajectory(output="x", recorded={"success": True}))
    assert judged.trajectory.recorded == {"success": True}
    assert trials.record(job(CASE, 3), shop, {"answer": 1}).trajectory.agent.name == adapt(shop).identity.name
    assert trials.record(job(CASE, 4), "no callable", "yes").trajectory.agent.name == ""
    assert trials.record(job(CASE, 5), shop, None).error is not None
    trials.close()


def test_another_agent_of_the_fixture_is_another_agent(making: Making) -> None:
    trials = making()
    one, other = (lambda _: "one"), (lambda _: "other")
    found = [trials.trial(job(CASE, n), agent).output for n, agent in enumerate([one, one, other], start=1)]
    trials.close()
    assert found == ["one", "one", "other"]
    assert not trials.replaces_the_fixture


def test_an_agent_that_the_command_line_names_is_made_when_asked_or_refused_at_once(making: Making) -> None:
    trials = making(agent="builtins:ascii")
    trials.make_agent("refunds")
    assert trials.replaces_the_fixture
    assert trials.trial(job(CASE, 1), None).output == "'hello'"
    trials.close()
    with pytest.raises(AgentTargetError, match="names no agent"):
        making(agent="nonsense").make_agent("refunds")


def test_a_text_that_is_shown_is_redacted_like_what_is_kept(making: Making, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_API_KEY", "hunter2-hunter2")
    assert making().redacted("my hunter2-hunter2") == "my [redacted:SHOP_API_KEY]"


# Targets: what the command line puts in place of the fixture.


def kept(workspace: Workspace, suite: str = "refunds", answer: str = "kept") -> None:
    """Record one trial of the suite."""
    judged = run(workspace, [replace(CASE, suite=suite)], lambda _: answer, metrics=())
    assert record(judged, workspace) == []


def answers(workspace: Workspace, mode: str, target: str | None, suite: str = "refunds") -> object:
    agent = Targets(workspace.settings, Registry(), mode, target).agent_for(suite)
    assert agent is not None
    found = agent.answer(Call(case=replace(CASE, suite=suite)))
    assert isinstance(found, Trajectory)
    return found.output


def test_without_a_word_the_fixture_decides(workspace: Workspace) -> None:
    targets = Targets(workspace.settings, Registry(), "live", None)
    assert not targets.given
    assert targets.agent_for("refunds") is None


def test_the_only_recording_of_a_suite_is_replayed(workspace: Workspace) -> None:
    kept(workspace)
    assert answers(workspace, "replay", None) == "kept"


def test_a_target_is_made_an_agent_once(workspace: Workspace) -> None:
    targets = Targets(workspace.settings, Registry(), "live", "builtins:ascii")
    assert targets.given
    assert targets.agent_for("refunds") is targets.agent_for("refunds")


def test_a_recording_is_named_by_its_file_also_in_a_folder_and_packed(workspace: Workspace) -> None:
    kept(workspace)
    folder = workspace.settings.path("suite_folder") / "refunds" / "recordings"
    [file] = folder.glob("*.jsonl")
    (folder / "2026-07").mkdir()
    file.rename(folder / "2026-07" / "gpt.jsonl")
    assert answers(workspace, "live", "2026-07/gpt") == "kept"
    assert answers(workspace, "replay", "2026-07/gpt") == "kept"


@pytest.mark.parametrize("parameter", ["gpt", "openai/gpt-4 (new)"])
def test_a_suite_of_a_parameter_replays_the_recording_of_that_parameter(workspace: Workspace, parameter: str) -> None:
    for name in (parameter, "other"):
        kept(workspace, f"refunds[{name}]", answer=name)
    assert parameter_of(f"refunds[{parameter}]") == parameter
    assert answers(workspace, "replay", None, f"refunds[{parameter}]") == parameter
    assert answers(workspace, "live", parameter) == parameter


def test_a_suite_without_a_recording_says_how_to_make_one(workspace: Workspace) -> None:
    with pytest.raises(RecordingError, match=r"suite 'refunds' has no recording in .*--agent-eval-record"):
        the_recording(workspace.settings, "refunds", None)


def test_of_several_recordings_one_must_be_chosen_and_a_wrong_name_gets_the_near_match(workspace: Workspace) -> None:
    for name in ("claude", "gpt"):
        kept(workspace, f"refunds[{name}]")
    with pytest.raises(AgentTargetError, match=r"several recordings; choose one: --agent-eval-agent claude \| gpt"):
        the_recording(workspace.settings, "refunds", None)
    with pytest.raises(AgentTargetError, match=r"has no recording 'claud'; did you mean 'claude'\?; there are: claude"):
        the_recording(workspace.settings, "refunds", "claud")


@pytest.mark.parametrize("target", ["x" * 5000, "../../../etc/passwd", "a\x00b", "nonsense"])
def test_a_target_that_is_nothing_is_refused_whatever_it_looks_like(workspace: Workspace, target: str) -> None:
    kept(workspace)
    with pytest.raises(AgentTargetError, match="names no agent"):
        answers(workspace, "live", target)
    with pytest.raises(AgentTargetError, match="has no recording"):
        answers(workspace, "replay", target)


# Recording.


def test_a_recording_has_what_was_answered_and_not_what_a_provider_failed_to(workspace: Workspace) -> None:
    judged = run(workspace, cases(1, 1, "crash", "down"))
    assert record(judged, workspace) == []
    path = the_recording(workspace.settings, "refunds", None)
    head, *rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert head["suite"] == "refunds"
    assert [row["case"] for row in rows] == ["c000", "c001", "c002"]
    again = run(workspace, cases(1, 1, "crash"), options=RunOptions(mode="replay"))
    assert [trial.output for trial in again.finished.trials] == ["yes", "no", None]
    assert again.finished.trials[2].error == judged.finished.trials[2].error


def test_where_nothing_was_answered_nothing_is_recorded(workspace: Workspace) -> None:
    assert record(run(workspace, cases(0, 0, "down")), workspace) == []
    assert not (workspace.settings.path("suite_folder") / "refunds").exists()


def test_a_recording_that_cannot_be_written_is_a_cause_of_12(workspace: Workspace) -> None:
    workspace.settings.path("suite_folder").write_text("a file where a folder is due", "utf-8")
    [cause] = record(run(workspace, cases(1)), workspace)
    assert cause.code == INTEGRITY
    assert "could not be written" in cause.text
