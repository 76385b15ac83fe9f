"""A session tells of each tag what a gating metric does on its cases; a tag that is named gates for itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pytest_agenteval.cli import main
from tests.plugin.sessions import Project, Session, records

AGENT = """
import pytest

BROKEN = {broken!r}

@pytest.fixture(scope="session")
def agent():
    return lambda text: "never" if BROKEN and text.startswith(BROKEN) else "within 30 days"
"""
TEST = """
@agent_cases(load_cases("refunds.jsonl"), metrics=["success"])
def test_refund(trial, case):
    pass
"""
GATE = "success = {{ margin = 0.2{more} }}"


def case(n: int) -> dict[str, Any]:
    """Every tenth case is tagged vip, each other one plain, and all are tagged new."""
    tag = "vip" if n % 10 == 0 else "plain"
    return {"id": f"c{n:03}", "input": f"{tag} {n}", "expect": {"contains": ["30 days"]}, "tags": [tag, "new"]}


@pytest.fixture
def approved(project: Project) -> Project:
    return with_baseline(project)


def with_baseline(project: Project) -> Project:
    """A project of a hundred cases in a file, ten of them tagged vip, with a baseline of a sound agent."""
    project.gate(GATE.format(more=""))
    project.put("suites/refunds/cases/refunds.jsonl", "".join(f"{json.dumps(case(n))}\n" for n in range(100)))
    project.test(TEST)
    project.agent(AGENT.format(broken=""))
    assert project.run(workers=0).code == 10  # nothing is approved yet
    assert project.approve() == 0
    return project


def slices(session: Session) -> dict[str, dict[str, Any]]:
    """By tag, what verdict.json says of the slices of refunds/success as a whole."""
    [verdict] = [one for one in session.verdict["verdicts"] if one["metric"] == "success" and not one.get("slice")]
    return {one["tag"]: one for one in verdict["slices"]}


def test_a_tag_that_broke_is_told_although_the_whole_passes(both: Project) -> None:
    with_baseline(both).agent(AGENT.format(broken="vip"))
    session = both.run()
    assert (session.code, session.verdicts["refunds/success"]) == (0, "pass")
    [line] = [line for line in session.text.splitlines() if "have fallen on the cases tagged" in line]
    assert line.startswith(
        "  refunds/success seems to have fallen on the cases tagged 'vip': from 1.0000 to 0.0000, on 10 common cases "
        "-1.0000 ["
    )
    # Ten fell and none rose: (1/2)^10 / 2, twice that for two slices.
    assert line.endswith("10 fell, 0 rose (q = 0.00098: of such lines at most one in ten is chance)")


def test_the_verdict_file_holds_every_slice_that_says_more_than_the_whole(approved: Project) -> None:
    approved.agent(AGENT.format(broken="vip"))
    found = slices(approved.run())
    assert {tag: one.get("fell", False) for tag, one in found.items()} == {"plain": False, "vip": True}
    vip = found["vip"]
    assert (vip["estimate"]["slice"], vip["estimate"]["n"], vip["estimate"]["value"]) == ("vip", 10, 0.0)
    assert (vip["comparison"]["delta"], len(vip["comparison"]["lost"])) == (-1.0, 10)
    assert vip["q_value"] == pytest.approx(2 * 0.5**11)


def test_the_slices_are_kept_in_the_history_beside_the_whole(approved: Project) -> None:
    session = approved.run()
    kept = {
        one.get("slice", ""): one["n"] for one in records(approved.root)[0]["estimates"] if one["metric"] == "success"
    }
    assert kept == {"": 100, "plain": 90, "vip": 10}
    assert session.estimate("success")["n"] == 100


def test_where_nothing_fell_no_slice_is_spoken_of(approved: Project) -> None:
    session = approved.run()
    assert session.code == 0
    assert "tagged" not in session.text
    assert not any(one.get("fell", False) for one in slices(session).values())


def test_a_tag_named_in_the_gate_table_stops_the_merge_by_a_verdict_of_its_own(approved: Project) -> None:
    approved.gate(GATE.format(more=', slices = ["vip"]'))
    sound = approved.run("-rs")
    assert sound.code == 0
    assert "success.json:0: refunds/success[vip]: inconclusive: " in sound.text
    approved.agent(AGENT.format(broken="vip"))
    session = approved.run()
    told = {(one["metric"], one.get("slice", "")): one["outcome"] for one in session.verdict["verdicts"]}
    assert told == {("error_rate", ""): "pass", ("success", ""): "pass", ("success", "vip"): "regressed"}
    assert (session.code, session.causes) == (10, [10])
    assert session.verdict["causes"][0]["text"] == "refunds/success[vip]: regressed"
    assert "refunds/success[vip]: regressed: " in session.text


def test_a_misspelt_slice_is_told_with_the_tag_that_is_near(approved: Project) -> None:
    approved.gate(GATE.format(more=', slices = ["vpi"]'))
    session = approved.run()
    assert (session.code, session.causes) == (4, [4])
    assert "the slice 'vpi' of refunds/success gates, but no case that gates has that tag" in session.text
    assert "did you mean 'vip'?" in session.text


def test_the_report_of_the_week_shows_the_slice_that_fell(approved: Project) -> None:
    approved.agent(AGENT.format(broken="vip"))
    approved.run()
    assert main(["--root", str(approved.root), "report", "--output", str(approved.root / "week")]) == 0
    page = (approved.root / "week.md").read_text("utf-8")
    assert "Against the baseline, success fell on the cases tagged vip." in page
