"""A baseline is an anchor: renewed by decision, with every former one on record, and never by small steps down."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_agenteval.app.approve import Request, approve
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.errors import BaselineError
from pytest_agenteval.model.baseline import Baseline
from tests.app.projects import AT, cases, gate, project, run


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return project(tmp_path, gate("success = { margin = 0.03 }"))


def renew(workspace: Workspace, wrong: int, **more: Any) -> Baseline:
    """Approve a run in which the agent is wrong on so many of the same 200 questions."""
    failing = {f"q{n}" for n in range(wrong)}
    run(workspace, cases(200), lambda text: "no" if text in failing else "yes")
    wish = Request(suite="refunds", by="Dana", reason="why not", at=AT, **more)
    [made] = approve(workspace, wish)
    return made


def test_a_first_baseline_has_no_ancestors(workspace: Workspace) -> None:
    assert renew(workspace, 10).lineage == ()


def test_each_renewal_keeps_the_former_baseline_and_what_changed_against_it(workspace: Workspace) -> None:
    first, second = renew(workspace, 10), renew(workspace, 6)
    third = renew(workspace, 8)
    assert [one.value for one in third.lineage] == [first.estimate.value, second.estimate.value]
    assert [one.approval for one in third.lineage] == [first.approval, second.approval]
    assert [one.delta for one in third.lineage] == pytest.approx([0.02, -0.01])


def test_the_lineage_is_in_the_file(workspace: Workspace) -> None:
    renew(workspace, 10)
    made = renew(workspace, 6)
    assert workspace.baselines.read("refunds", "success") == made


def test_a_proven_drop_becomes_no_baseline_by_accident(workspace: Workspace) -> None:
    before = renew(workspace, 10)
    with pytest.raises(BaselineError, match=r"would fall by 0\.1000 .* its margin 0\.03 allows.* --accept-drop"):
        renew(workspace, 30)
    assert workspace.baselines.read("refunds", "success") == before


def test_a_drop_that_is_meant_is_approved_and_stays_on_record(workspace: Workspace) -> None:
    renew(workspace, 10)
    made = renew(workspace, 30, accept_drop=True)
    assert made.lineage[-1].delta == pytest.approx(-0.1)


def test_small_steps_down_end_where_their_sum_passes_the_margin(workspace: Workspace) -> None:
    renew(workspace, 10)
    renew(workspace, 14)
    with pytest.raises(BaselineError, match=r"-0\.0400 since the first of 2 baselines"):
        renew(workspace, 18)


def test_a_run_with_many_gaps_is_no_reference(workspace: Workspace) -> None:
    run(workspace, cases(18, 0, "down 1", "down 2"))
    wish = Request(suite="refunds", by="Dana", reason="good", at=AT)
    with pytest.raises(BaselineError, match=r"no value on 2 of its cases .* more than 5%; it can be no baseline"):
        approve(workspace, wish)


def test_another_version_of_the_metric_leaves_a_step_without_a_difference(workspace: Workspace) -> None:
    first = renew(workspace, 10)
    older = replace(first, spec=replace(first.spec, version=7))
    text = workspace.baselines.path("refunds", "success")
    from pytest_agenteval.store.baselines import text_of

    text.write_text(text_of(older), "utf-8")
    assert [one.delta for one in renew(workspace, 30).lineage] == [None]
