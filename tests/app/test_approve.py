"""Approving: from a whole run to reviewed files, with the change on record, and nothing by accident."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agenteval.app.approve import Request, approve, broken_limits, measured_of, source_run, split
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.cli import main
from pytest_agenteval.errors import BaselineError, HistoryError, IntegrityError, InvalidValue
from pytest_agenteval.model.baseline import Approval, Bar
from pytest_agenteval.model.estimate import CaseScores
from tests.app.projects import AT, cases, gate, outcomes, project, run


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return project(tmp_path, gate("success = { floor = 0.5, margin = 0.03 }"))


def wish(*metrics: str, **more: Any) -> Request:
    return Request(**{"suite": "refunds", "by": "Dana", "reason": "good", "at": AT, "metrics": metrics, **more})


def test_what_gates_is_approved_with_who_when_why_and_the_run(workspace: Workspace) -> None:
    judged = run(workspace, cases(3, 1))
    [made] = approve(workspace, wish())
    assert workspace.baselines.read("refunds", "success") == made
    assert made.approval == Approval(by="Dana", at=AT, reason="good", run=judged.finished.run.id)
    assert (made.metric, made.bar, made.estimate.value) == ("success", Bar(floor=0.5, margin=0.03), 0.75)
    assert set(made.screen) == {"c000", "c001", "c002", "c003"}
    assert made.held_back == {}


def test_six_attempts_are_split_into_three_for_the_screen_and_three_held_back(workspace: Workspace) -> None:
    answers = iter(["yes", "yes", "no", "no", "no", "yes"])
    run(workspace, cases(1), lambda _: next(answers), repeats=6)
    [made] = approve(workspace, wish())
    assert made.screen["c000"].values == (1.0, 1.0, 0.0)
    assert made.held_back["c000"].values == (0.0, 0.0, 1.0)
    assert len(made.screen["c000"].answers) == len(made.held_back["c000"].answers) == 3
    assert made.estimate.value == 0.5


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_a_split_loses_no_attempt_and_the_screen_has_the_greater_half(values: list[float]) -> None:
    whole = CaseScores(fingerprint="f", values=tuple(values), answers=tuple(map(str, range(len(values)))))
    screen, held_back = split({"a": whole})
    parts = [screen["a"], *held_back.values()]
    assert sum((part.values for part in parts), ()) == whole.values
    assert sum((part.answers for part in parts), ()) == whole.answers
    assert len(screen["a"].values) - sum(len(part.values) for part in held_back.values()) in (0, 1)


def test_a_quantile_is_not_split_for_it_is_no_mean_of_cases(workspace: Workspace) -> None:
    run(workspace, cases(1), repeats=4)
    [made] = approve(workspace, wish("latency_seconds"))
    assert len(made.screen["c000"].values) == 4
    assert made.held_back == {}


def test_the_bar_that_was_approved_stays_where_the_settings_leave_it_open(workspace: Workspace) -> None:
    run(workspace, cases(3, 1))
    approve(workspace, wish())
    looser = project(Path(workspace.settings.root), gate("success = { margin = 0.1 }"))
    [made] = approve(looser, wish())
    assert made.bar == Bar(floor=0.5, margin=0.1)
    bare = project(Path(workspace.settings.root))
    [made] = approve(bare, wish())
    assert made.bar == Bar(floor=0.5, margin=0.1)


def test_a_metric_may_be_named_and_then_gates(workspace: Workspace) -> None:
    run(workspace, cases(2), metrics=["success", "contains"])
    assert [made.metric for made in approve(workspace, wish("contains"))] == ["contains"]
    assert [made.metric for made in approve(workspace, wish())] == ["contains", "success"]


@pytest.mark.parametrize(
    ("right", "wrong", "table", "told"),
    [
        (5, 45, "success = { floor = 0.5 }", ["below the floor 0.5"]),
        (50, 0, "success = { ceiling = 0.5 }", ["above the ceiling 0.5"]),
        (25, 25, "success = { floor = 0.55, ceiling = 0.9 }", []),
        (50, 0, "success = { margin = 0.1 }", []),
    ],
)
def test_limits_that_the_approved_values_are_proven_to_break_are_told(
    tmp_path: Path, right: int, wrong: int, table: str, told: list[str]
) -> None:
    workspace = project(tmp_path, gate(table))
    run(workspace, cases(right, wrong), repeats=2)
    [made] = approve(workspace, wish())
    assert broken_limits(made) == told
    again = outcomes(run(workspace, cases(right, wrong), repeats=2))["success"]
    assert (again == "below_floor") is bool(told)


def test_the_command_warns_of_a_value_below_its_own_floor(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    run(workspace, cases(5, 45))
    root = str(workspace.settings.root)
    assert main(["--root", root, "baseline", "approve", "refunds", "--reason", "good", "--by", "Dana"]) == 0
    assert "  it is proven to lie below the floor 0.5: the gate stays red\n" in capsys.readouterr().out


def test_the_error_rate_is_approved_where_the_settings_name_it(workspace: Workspace) -> None:
    run(workspace, cases(2))
    assert [made.bar for made in approve(workspace, wish("error_rate"))] == [Bar(ceiling=0.0)]
    assert [made.metric for made in approve(workspace, wish())] == ["success"]
    named = project(Path(workspace.settings.root), gate("error_rate = { ceiling = 0.1 }"))
    assert {made.metric: made.bar for made in approve(named, wish())}["error_rate"] == Bar(ceiling=0.1)


def test_each_approval_is_a_change_in_the_audit_log(workspace: Workspace) -> None:
    first = run(workspace, cases(3, 1)).finished.run
    approve(workspace, wish())
    second = run(workspace, cases(4)).finished.run
    approve(workspace, wish(reason="better"))
    old, new = [record.change for record in workspace.audit.records()]
    assert (old.action, old.subject, old.actor, old.reason) == ("baseline.approve", "refunds/success", "Dana", "good")
    assert old.before is None
    assert new.before == old.after
    assert old.after == {
        "bar": {"floor": 0.5, "margin": 0.03},
        "value": 0.75,
        "n": 4,
        "run": first.id,
        "version": 1,
    }
    assert isinstance(new.after, dict)
    assert (new.after["value"], new.after["run"], new.reason) == (1.0, second.id, "better")


def test_a_run_that_measured_nothing_of_it_can_be_no_baseline(workspace: Workspace) -> None:
    run(workspace, cases(2))
    with pytest.raises(BaselineError, match=r"did not measure 'sucess'; did you mean 'success'\?"):
        approve(workspace, wish("sucess"))
    with pytest.raises(BaselineError, match=r"refunds/tokens has no value in run .* \(needs tokens.*\); it can be no"):
        approve(workspace, wish("tokens"))
    assert workspace.baselines.all() == []
    assert workspace.audit.records() == []


def test_where_one_metric_is_refused_none_is_written(workspace: Workspace) -> None:
    run(workspace, cases(2))
    with pytest.raises(BaselineError):
        approve(workspace, wish("success", "tokens"))
    assert workspace.baselines.all() == []


def test_a_suite_in_which_nothing_gates_says_how_to_choose(tmp_path: Path) -> None:
    workspace = project(tmp_path)
    run(workspace, cases(1))
    with pytest.raises(BaselineError, match="no metric of suite 'refunds' gates yet: name one by --metric, or set"):
        approve(workspace, wish())


@pytest.mark.parametrize("wrong", [{"reason": " "}, {"by": ""}])
def test_an_approval_needs_a_person_and_a_reason(workspace: Workspace, wrong: dict[str, str]) -> None:
    run(workspace, cases(1))
    with pytest.raises(InvalidValue, match="an approval names who"):
        approve(workspace, wish(**wrong))
    assert workspace.baselines.all() == []


def test_a_broken_audit_log_stops_the_approval(workspace: Workspace) -> None:
    run(workspace, cases(1))
    workspace.audit.path.parent.mkdir()
    workspace.audit.path.write_text("torn", "utf-8")
    with pytest.raises(IntegrityError, match="does not verify"):
        approve(workspace, wish())
    assert workspace.baselines.all() == []


# Which run.


def test_without_a_run_it_is_said_how_to_make_one(workspace: Workspace) -> None:
    with pytest.raises(HistoryError, match="no whole run of suite 'refunds'; make one: pytest --agent-eval"):
        approve(workspace, wish())


def test_the_last_whole_run_of_the_suites_own_agent_is_taken(workspace: Workspace) -> None:
    whole = run(workspace, cases(2)).finished.run
    run(workspace, cases(1), partial=["refunds"])
    candidate = run(workspace, cases(2), candidate="gpt-5").finished.run
    run(workspace, cases(2, suite="billing"))
    assert source_run(workspace, "refunds", None).run.id == whole.id
    assert source_run(workspace, "refunds", candidate.id).run.id == candidate.id
    [made] = approve(workspace, wish(run=candidate.id))
    assert made.approval.run == candidate.id


def test_part_of_a_suite_can_be_no_baseline_even_where_it_is_named(workspace: Workspace) -> None:
    part = run(workspace, cases(1), partial=["refunds"]).finished.run
    with pytest.raises(BaselineError, match=f"in run {part.id} only a part of suite 'refunds' ran"):
        approve(workspace, wish(run=part.id))


def test_a_run_of_another_suite_or_no_run_at_all_is_refused(workspace: Workspace) -> None:
    other = run(workspace, cases(1, suite="refund")).finished.run
    with pytest.raises(BaselineError, match=r"has no trial of suite 'refunds'; did you mean 'refund'\?"):
        approve(workspace, wish(run=other.id))
    with pytest.raises(HistoryError, match="has no run 'nonsense'"):
        approve(workspace, wish(run="nonsense"))


def test_every_metric_of_a_run_is_measured_for_a_difference(workspace: Workspace) -> None:
    judged = run(workspace, cases(3, 1))
    run_id, found = measured_of(workspace, "refunds", None)
    assert run_id == judged.finished.run.id
    assert [one.estimate for one in found] == list(judged.finished.estimates)
