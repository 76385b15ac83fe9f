"""The end of a run: everything is judged that can be, and nothing that cannot be passes in silence."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agenteval.app.approve import Request, approve
from pytest_agenteval.app.judging import Cause, Judged, estimates_by_suite, judge_run, seal
from pytest_agenteval.app.runs import Plan, RunOptions
from pytest_agenteval.app.verdictfile import VERDICT_SCHEMA, digest_of, scores_digest, verdict_document, write_verdict
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.errors import IntegrityError
from pytest_agenteval.model.codec import decode, encode
from pytest_agenteval.model.jsonvalue import parse
from pytest_agenteval.model.run import FinishedRun, Run
from pytest_agenteval.model.score import Score
from pytest_agenteval.model.verdict import Verdict
from pytest_agenteval.pipeline import exits
from tests.app.projects import AT, cases, gate, outcomes, project, run, shop

FLOOR = gate("success = { floor = 0.5, margin = 0.05 }")


def approved(workspace: Workspace, suite: str = "refunds", *metrics: str) -> None:
    approve(workspace, Request(suite=suite, by="Dana", reason="good", at=AT, metrics=metrics))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A project whose suite has an approved baseline of 60 cases."""
    made = project(tmp_path, FLOOR)
    run(made, cases(50, 10))
    approved(made)
    return made


def codes(judged: Judged) -> list[int]:
    return [cause.code for cause in judged.causes]


def test_a_run_like_its_baseline_passes_with_0(workspace: Workspace) -> None:
    judged = run(workspace, cases(50, 10))
    assert outcomes(judged) == {"error_rate": "pass", "success": "pass"}
    assert (judged.code, judged.causes) == (0, ())


def test_a_worse_agent_is_regressed_with_10(workspace: Workspace) -> None:
    judged = run(workspace, cases(50, 10), lambda text: "no" if "9" in text else "yes")
    assert outcomes(judged)["success"] == "pass"  # 10 wrong ones are now right, 5 right ones wrong
    judged = run(workspace, cases(50, 10), lambda text: "no" if "1" in text else shop(text))
    assert outcomes(judged)["success"] == "regressed"
    assert (judged.code, codes(judged)) == (10, [10])
    assert judged.causes[0].text == "refunds/success: regressed"


def test_without_a_baseline_a_gating_metric_is_red(tmp_path: Path) -> None:
    judged = run(project(tmp_path, FLOOR), cases(50))
    assert (outcomes(judged)["success"], judged.code) == ("no_baseline", 10)


def test_a_suite_in_which_nothing_gates_is_red_and_says_so(tmp_path: Path) -> None:
    judged = run(project(tmp_path), cases(5))
    assert outcomes(judged) == {"*": "no_baseline", "error_rate": "pass"}
    assert judged.verdicts[0].next_step.startswith("Choose one: pytest-agenteval baseline approve refunds")
    assert judged.code == 10


def test_an_error_of_the_agent_breaks_the_ceiling_of_the_error_rate(workspace: Workspace) -> None:
    judged = run(workspace, cases(50, 9, "crash"))
    assert outcomes(judged)["error_rate"] == "below_floor"
    assert judged.code == 10


def test_a_provider_that_is_down_is_missing_and_never_a_score(workspace: Workspace) -> None:
    judged = run(workspace, cases(50, 10), lambda text: shop("down" if text in ("q1", "q2", "q3", "q4") else text))
    assert outcomes(judged) == {"error_rate": "inconclusive:missing", "success": "inconclusive:missing"}
    assert judged.code == 11
    assert len(judged.not_evaluated["refunds/success"]) == 4
    assert "infrastructure error" in judged.not_evaluated["refunds/success"]["c001"]


def test_a_gating_metric_that_nothing_measured_is_4_and_the_rest_is_judged(workspace: Workspace) -> None:
    judged = run(workspace, cases(50, 10), metrics=["contains"])
    assert codes(judged) == [4]
    assert judged.causes[0].text == (
        "refunds/success gates, but no test of this run measured it. Name 'success' in metrics= of a test, "
        "or take it out of [tool.pytest-agenteval.suites.refunds.gate] and out of the baselines"
    )
    assert outcomes(judged) == {"error_rate": "pass"}


def test_a_metric_that_was_taken_out_of_the_settings_still_gates_by_its_baseline(workspace: Workspace) -> None:
    bare = project(Path(workspace.settings.root))
    assert outcomes(run(bare, cases(50, 10))) == {"error_rate": "pass", "success": "pass"}


def test_a_baseline_that_cannot_be_read_is_4_and_the_rest_is_judged(workspace: Workspace) -> None:
    path = workspace.baselines.path("refunds", "success")
    workspace = project(Path(workspace.settings.root), FLOOR + gate("success = { margin = 0.05 }", "billing"))
    run(workspace, cases(60, suite="billing"))
    approved(workspace, "billing", "success")
    path.write_text(path.read_text("utf-8").replace('"floor"', '"flor"'), "utf-8")
    judged = run(workspace, [*cases(50, 10), *cases(60, suite="billing")])
    assert judged.code == exits.USAGE
    assert any("unknown key 'flor'" in cause.text and str(path) in cause.text for cause in judged.causes)
    found = {f"{one.suite}/{one.metric}": str(one.outcome) for one in judged.verdicts}
    assert found["billing/success"] == "pass"
    assert found["refunds/error_rate"] == "pass"


def test_settings_looser_than_the_approved_bar_are_loosened(workspace: Workspace) -> None:
    looser = project(Path(workspace.settings.root), gate("success = { floor = 0.1, margin = 0.05 }"))
    judged = run(looser, cases(50, 10))
    assert (outcomes(judged)["success"], judged.code) == ("loosened", 10)


def test_stricter_settings_count_at_once(workspace: Workspace) -> None:
    stricter = project(Path(workspace.settings.root), gate("success = { floor = 0.99 }"))
    assert outcomes(run(stricter, cases(50, 10)))["success"] == "below_floor"


@pytest.mark.parametrize("meant", [False, True])
def test_a_part_of_a_suite_is_not_judged(workspace: Workspace, meant: bool) -> None:
    options = RunOptions(partial_is_meant=meant)
    judged = run(workspace, cases(3), partial=["refunds"], options=options, metrics=["contains"])
    assert set(outcomes(judged).values()) == {"inconclusive:partial"}
    assert judged.code == (0 if meant else 11)
    assert not judged.finished.run.stands_for("refunds")


def test_a_trial_that_was_planned_and_never_came_makes_its_suite_partial(workspace: Workspace) -> None:
    judged = run(workspace, cases(50, 10), skip=1)
    assert judged.finished.run.partial == ("refunds",)
    assert judged.code == 11


def test_a_suite_of_which_no_trial_came_at_all_is_not_green(workspace: Workspace) -> None:
    judged = run(workspace, [*cases(50, 10), *cases(1, suite="unborn")], skip=1)
    assert judged.finished.run.partial == ("unborn",)
    assert judged.causes == (Cause(code=11, text="only a part of unborn ran"),)


def test_nothing_selected_is_5_and_a_broken_collection_4(workspace: Workspace) -> None:
    begun = Run(id="r", started=AT)
    nothing = judge_run(begun, [], Plan(), workspace, RunOptions())
    assert (nothing.code, nothing.verdicts) == (exits.NOTHING_COLLECTED, ())
    broken = judge_run(begun, [], Plan(problems=("cases.jsonl:3: not JSON",)), workspace, RunOptions())
    assert broken.causes == (Cause(code=4, text="cases.jsonl:3: not JSON"),)


def test_too_few_cases_warn_in_a_merge_and_stop_a_release(tmp_path: Path) -> None:
    workspace = project(tmp_path, gate("success = { margin = 0.05 }"))
    run(workspace, cases(10))
    approved(workspace)
    merge = run(workspace, cases(10))
    release = run(workspace, cases(10), options=RunOptions(gate="release"))
    assert outcomes(merge)["success"] == outcomes(release)["success"] == "inconclusive:too few"
    assert (merge.code, release.code) == (0, 11)


def test_a_suite_that_was_replayed_is_dated_by_its_recording(workspace: Workspace) -> None:
    from pytest_agenteval.app.recording import record

    first = run(workspace, cases(50, 10))
    record(first, workspace)
    again = run(workspace, cases(50, 10), options=RunOptions(mode="replay"), mode="replay")
    assert again.finished.run.recorded == {"refunds": min(trial.at for trial in first.finished.trials)}
    assert first.finished.run.recorded == {}


def test_the_order_of_the_trials_does_not_matter(workspace: Workspace) -> None:
    judged = run(workspace, cases(50, 10), repeats=2)
    finished = judged.finished
    plan = Plan(
        planned=tuple((*trial.key[:2], str(trial.attempt)) for trial in finished.trials), specs=finished.run.specs
    )
    begun = replace(finished.run, partial=(), specs={})
    turned = judge_run(begun, list(reversed(finished.trials)), plan, workspace, RunOptions())
    assert turned == judge_run(begun, finished.trials, plan, workspace, RunOptions())
    assert turned.verdicts == judged.verdicts


def test_a_run_that_is_kept_already_is_12_and_is_not_raised(workspace: Workspace) -> None:
    judged = run(workspace, cases(1))
    [cause] = seal(judged, workspace)
    assert cause.code == exits.INTEGRITY
    assert "a run's segment is written once" in cause.text


def test_a_run_without_trials_is_not_kept(workspace: Workspace) -> None:
    nothing = Judged(finished=FinishedRun(run=Run(id="r", started=AT), trials=()))
    assert seal(nothing, workspace) == []
    assert "r" not in [one.id for one in workspace.history.runs()]


def test_estimates_are_told_suite_by_suite(workspace: Workspace) -> None:
    found = estimates_by_suite(run(workspace, [*cases(2), *cases(1, suite="billing")]))
    assert {suite: {one.suite for one in several} for suite, several in found.items()} == {
        "billing": {"billing"},
        "refunds": {"refunds"},
    }


@given(st.lists(st.sampled_from([4, 5, 10, 11, 12]), max_size=5))
def test_the_code_is_what_stands_of_the_causes(some: list[int]) -> None:
    finished = FinishedRun(run=Run(id="r", started=AT), trials=())
    judged = Judged(finished=finished, causes=tuple(Cause(code=code, text="") for code in some))
    assert judged.code == exits.standing(some)


# verdict.json


def written(workspace: Workspace, judged: Judged) -> dict[str, Any]:
    write_verdict(judged, judged.code, "merge", workspace)
    found: dict[str, Any] = parse(workspace.verdict_file.read_text("utf-8"))
    return found


def test_the_verdict_file_holds_the_code_the_causes_and_every_verdict(workspace: Workspace) -> None:
    judged = run(workspace, cases(50, 9, "crash"))
    found = written(workspace, judged)
    assert found["schema"] == VERDICT_SCHEMA
    assert (found["exit_code"], found["gate"], found["trials"]) == (10, "merge", 60)
    assert [cause["code"] for cause in found["causes"]] == codes(judged)
    assert [decode(Verdict, one) for one in found["verdicts"]] == list(judged.verdicts)
    assert len(found["estimates"]) == len(judged.finished.estimates)
    assert set(found["not_evaluated"]) == {"refunds/cost_usd", "refunds/latency_seconds", "refunds/tokens"}
    document = encode(verdict_document(judged, 10, "merge", workspace))
    assert found == {**json.loads(json.dumps(document)), "digest": digest_of(document)}


def test_the_digest_follows_every_score(workspace: Workspace) -> None:
    finished = run(workspace, cases(3)).finished
    first, *others = finished.trials
    changed = first.with_scores([Score(metric="success", value=0.0)])
    several = [finished, *(replace(finished, trials=trials) for trials in (others, [changed, *others]))]
    assert scores_digest(finished) == scores_digest(replace(finished, trials=tuple(finished.trials)))
    assert len({scores_digest(one) for one in several}) == 3


def test_a_verdict_that_cannot_be_written_is_an_integrity_error(workspace: Workspace, tmp_path: Path) -> None:
    judged = run(workspace, cases(1))
    blocked = project(tmp_path, '\nwork = "pyproject.toml"\n')
    with pytest.raises(IntegrityError, match="could not be written"):
        write_verdict(judged, 0, "merge", blocked)


def test_a_suite_of_a_parametrised_agent_that_is_gone_is_4(tmp_path: Path) -> None:
    settings = gate("success = { floor = 0.5, margin = 0.05 }", "refunds")
    made = project(tmp_path, settings)
    for suite in ("refunds[new]", "refunds[old]"):
        run(made, cases(50, 10, suite=suite))
        approved(made, suite)
    judged = run(made, cases(50, 10, suite="refunds[new]"))
    assert outcomes(judged)["success"] == "pass"
    assert judged.code == exits.USAGE
    assert "suite refunds[old] has a baseline, but no trial in this run" in judged.causes[0].text


@pytest.mark.parametrize(
    ("metric", "bar", "said"),
    [
        ("tokens", "{}", "set a floor, a ceiling or a margin"),
        ("latency_seconds", "{ margin = 0.5 }", "set a floor or a ceiling"),
    ],
)
def test_a_gating_metric_of_which_no_value_could_fail_is_4(tmp_path: Path, metric: str, bar: str, said: str) -> None:
    made = project(tmp_path, gate(f"success = {{ floor = 0.5 }}\n{metric} = {bar}"))
    judged = run(made, cases(50, 10))
    assert exits.USAGE in codes(judged)
    [told] = [cause.text for cause in judged.causes if cause.code == exits.USAGE]
    assert told.startswith(f"refunds/{metric} gates, but nothing says how much is too much")
    assert said in told


def test_a_suite_of_the_settings_that_is_nearly_one_that_ran_is_4(tmp_path: Path) -> None:
    made = project(tmp_path, gate("success = { floor = 0.5 }", "refnds"))
    judged = run(made, cases(50, 10))
    assert exits.USAGE in codes(judged)
    assert any("refnds] is of no suite; did you mean 'refunds'?" in cause.text for cause in judged.causes)
