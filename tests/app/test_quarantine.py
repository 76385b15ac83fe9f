"""Only what was measured flaky is quarantined, by somebody, for a while."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pytest_agenteval.app.approve import Request, approve
from pytest_agenteval.app.judging import Judged
from pytest_agenteval.app.quarantine import MEASURE, Wanted, quarantine, release
from pytest_agenteval.app.repeats import repeats_lines
from pytest_agenteval.app.runs import Plan
from pytest_agenteval.app.sight import sights
from pytest_agenteval.app.summary import measured_lines
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.cli import main
from pytest_agenteval.errors import QuarantineError
from pytest_agenteval.model.case import Case
from pytest_agenteval.model.quarantine import day_of, days_after, standing
from pytest_agenteval.model.verdict import Verdict
from pytest_agenteval.pipeline import exits
from tests.app.projects import CLOCK, cases, gate, outcomes, project, run, shop

GATE = gate("success = { floor = 0.1, margin = 0.5 }")
Output = pytest.CaptureFixture[str]


def sometimes(text: str, attempt: int = 1) -> str:
    """An agent that is right in two of five attempts at what is flaky."""
    return "yes" if "flaky" not in text or attempt in (1, 4) else "no"


def wanted(case: str = "c001", *, days: int = 30, at: datetime | None = None, **fields: Any) -> Wanted:
    at = at or CLOCK.now()
    until = days_after(day_of(at), days)
    made = Wanted(suite="refunds", case=case, owner="Kim", until=until, reason="rebuilt in May", by="Dana", at=at)
    return replace(made, **fields)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A project with a run of five attempts, in which c001 is flaky by success."""
    made = project(tmp_path, GATE)
    run(made, cases(1, 0, "flaky"), sometimes, repeats=5)
    return made


def refusal(workspace: Workspace, asked: Wanted) -> str:
    with pytest.raises(QuarantineError) as raised:
        quarantine(workspace, asked)
    return str(raised.value)


def test_what_was_measured_flaky_is_quarantined_with_its_evidence_and_a_record(workspace: Workspace) -> None:
    asked = wanted()
    entry = quarantine(workspace, asked)
    assert (entry.metric, entry.values) == ("success", (1.0, 0.0, 0.0, 1.0, 0.0))
    assert entry.run == workspace.history.runs("refunds")[-1].id
    assert workspace.quarantines.read("refunds") == (entry,)
    [record] = workspace.audit.records()
    told = record.change
    assert (told.actor, told.action, told.subject) == ("Dana", "quarantine.add", "refunds/c001")
    assert (told.reason, told.before) == ("rebuilt in May", None)
    assert isinstance(told.after, dict)
    assert told.after["owner"] == "Kim"


def test_what_looked_stable_is_refused_with_the_way_to_measure_it(workspace: Workspace) -> None:
    said = refusal(workspace, wanted("c000"))
    assert "was not measured flaky by a metric that gates: it looked stable in 5 attempts of " in said
    assert said.endswith(f"No case is declared flaky by hand; measure it: {MEASURE}")
    assert not workspace.quarantines.root.exists()


def test_one_attempt_measures_nothing(tmp_path: Path) -> None:
    made = project(tmp_path, GATE)
    run(made, cases(2), repeats=1)
    assert "it was never called several times in a whole run" in refusal(made, wanted())


def test_a_metric_that_does_not_gate_is_no_reason(tmp_path: Path) -> None:
    made = project(tmp_path, gate("tool_calls = { floor = 0 }"))
    run(made, cases(1, 0, "flaky"), sometimes, repeats=5)
    assert "was not measured flaky by a metric that gates" in refusal(made, wanted())


def test_a_crash_now_and_then_is_measured_by_the_error_rate(tmp_path: Path) -> None:
    def crashing(text: str, attempt: int = 1) -> str:
        if attempt == 2 and "flaky" in text:
            raise ValueError(text)
        return "yes"

    made = project(tmp_path)
    run(made, cases(1, 0, "flaky"), crashing, repeats=3)
    entry = quarantine(made, wanted())
    assert (entry.metric, entry.values) == ("error_rate", (0.0, 1.0, 0.0))


def test_the_newest_run_of_several_attempts_decides(workspace: Workspace) -> None:
    newest = run(workspace, cases(1, 0, "flaky"), repeats=10).finished.run.id
    said = refusal(workspace, wanted())
    assert f"it looked stable in 10 attempts of {newest}, the newest that can tell. " in said


def test_a_later_run_of_one_attempt_or_of_a_part_decides_nothing(workspace: Workspace) -> None:
    flaky_run = workspace.history.runs("refunds")[-1].id
    run(workspace, cases(1, 0, "flaky"), repeats=1)
    run(workspace, cases(1, 0, "flaky"), repeats=5, partial=["refunds"])
    assert quarantine(workspace, wanted()).run == flaky_run


def test_a_run_of_another_agent_measures_nothing_of_this_one(tmp_path: Path) -> None:
    made = project(tmp_path, GATE)
    run(made, cases(1, 0, "flaky"), sometimes, repeats=5, candidate="module:other")
    assert "has case 'c001'" in refusal(made, wanted())


def test_a_case_that_was_edited_since_is_to_be_measured_again(workspace: Workspace) -> None:
    run(workspace, cases(1, 0, "now it is another"), repeats=1)
    assert "as it is now, it was never called several times in a whole run" in refusal(workspace, wanted())


def test_what_was_measured_long_ago_counts_no_more(workspace: Workspace) -> None:
    later = CLOCK.now() + timedelta(days=91)
    assert "no run of the last 90 days has case 'c001'" in refusal(workspace, wanted(at=later))


def test_a_case_that_must_pass_is_refused(tmp_path: Path) -> None:
    made = project(tmp_path, GATE)
    run(made, [Case(id="c1", suite="refunds", input="flaky", tags=("must_pass",))], sometimes, repeats=5)
    assert "is tagged must_pass, and may not be quarantined" in refusal(made, wanted("c1"))


def test_an_unknown_case_is_refused_with_the_near_one(workspace: Workspace) -> None:
    assert refusal(workspace, wanted("c01")).endswith("has case 'c01' of suite 'refunds'; did you mean 'c001'?")
    assert "of suite 'billing'" in refusal(workspace, wanted(suite="billing"))


@pytest.mark.parametrize("days", [-1, 91])
def test_a_day_that_is_past_or_too_far_is_refused_with_those_that_are_not(workspace: Workspace, days: int) -> None:
    at = CLOCK.now()
    assert f"Name a day from {day_of(at)} to {days_after(day_of(at), 90)}" in refusal(
        workspace, wanted(days=days, at=at)
    )


def test_no_day_is_refused(workspace: Workspace) -> None:
    assert refusal(workspace, wanted(until="soon")) == "--until: 'soon' is not a day; write it like 2026-11-24"


@pytest.mark.parametrize("days", [0, 90])
def test_today_and_the_ninetieth_day_are_allowed(workspace: Workspace, days: int) -> None:
    asked = wanted(days=days)
    assert quarantine(workspace, asked).until == asked.until


def test_a_renewal_takes_the_place_of_the_old_entry_and_records_both(workspace: Workspace) -> None:
    old = quarantine(workspace, wanted(days=1))
    new = quarantine(workspace, wanted(days=60, owner="Lee"))
    assert workspace.quarantines.read("refunds") == (new,)
    change = workspace.audit.records()[-1].change
    assert isinstance(change.before, dict)
    assert isinstance(change.after, dict)
    assert (change.before["until"], change.after["owner"]) == (old.until, "Lee")


def test_what_is_released_is_gone_and_the_release_on_record(workspace: Workspace) -> None:
    quarantine(workspace, wanted())
    release(workspace, "refunds", "c001", by="Dana", reason="mended", at=CLOCK.now())
    assert workspace.quarantines.read("refunds") == ()
    change = workspace.audit.records()[-1].change
    assert (change.action, change.reason, change.after) == ("quarantine.remove", "mended", None)


def test_what_is_not_quarantined_cannot_be_released(workspace: Workspace) -> None:
    quarantine(workspace, wanted())
    with pytest.raises(QuarantineError, match="case 'c002' of suite 'refunds' is not quarantined; did you mean 'c001'"):
        release(workspace, "refunds", "c002", by="Dana", reason="mended", at=CLOCK.now())


def test_entries_stand_apart_by_whether_their_time_is_over(workspace: Workspace) -> None:
    entry = quarantine(workspace, wanted(days=1))
    now = CLOCK.now()
    assert (standing([entry], now).held, standing([entry], now).expired) == ((entry,), ())
    later, before = now + timedelta(days=2), now - timedelta(days=2)
    assert (standing([entry], later).held, standing([entry], later).expired) == ((), (entry,))
    assert (standing([entry], before).held, standing([entry], before).expired) == ((), ())


def test_the_command_adds_lists_and_removes(tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    now = datetime.now(UTC)
    run(project(tmp_path, GATE), cases(1, 0, "flaky"), sometimes, repeats=5, started=now)

    def ask(*words: str) -> int:
        return main(["--root", str(tmp_path), "quarantine", *words])

    until = days_after(day_of(now), 9)
    assert ask("list") == 0
    assert capsys.readouterr().out == "no case in quarantine\n"
    assert ask("add", "refunds", "c001", "--owner", "Kim", "--until", until, "--reason", "upstream") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"quarantined refunds/c001 until {until}: it runs, and does not gate"
    assert lines[1].startswith("  success 1, 0, 0, 1, 0 in run ")
    assert lines[2] == "  quarantine/refunds.json"
    assert ask("add", "refunds", "c001", "--owner", "Kim", "--until", until, "--reason", "upstream") == 0
    assert capsys.readouterr().out.startswith(f"renewed the quarantine of refunds/c001 until {until}: ")
    assert ask("list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"refunds/c001: Kim, until {until}"
    assert lines[1].endswith(": upstream")
    assert ask("remove", "refunds", "c001", "--by", "Dana") == 0
    assert capsys.readouterr().out == "refunds/c001 gates again\n  quarantine/refunds.json\n"
    assert ask("remove", "refunds", "c001") == 4
    assert "is not quarantined" in capsys.readouterr().err


PERFECT = gate("success = { floor = 1.0, margin = 0.05 }")


def moody(text: str, attempt: int = 1) -> str:
    """An agent whose first attempt at what is flaky is wrong."""
    return "no" if "flaky" in text and attempt in (1, 3) else "yes"


def judged_with(root: Path, n_flaky: int, n_right: int = 20, **how: Any) -> tuple[Workspace, Judged]:
    """A suite whose flaky cases are quarantined and wrong in the run that is judged; its baseline is perfect."""
    made = project(root, PERFECT)
    of = cases(n_right, 0, *[f"flaky {n}" for n in range(n_flaky)])
    run(made, of, lambda _text: "yes")
    approve(made, Request(suite="refunds", by="Dana", reason="good", at=CLOCK.now()))
    run(made, of, moody, repeats=3)
    for n in range(n_flaky):
        quarantine(made, wanted(f"c{n_right + n:03}", days=30))
    return made, run(made, how.pop("of", of), moody, **how)


def verdict(judged: Judged, metric: str = "success") -> Verdict:
    return next(one for one in judged.verdicts if one.metric == metric)


def test_a_quarantined_case_runs_and_is_kept_and_does_not_gate(tmp_path: Path) -> None:
    made, judged = judged_with(tmp_path, 1, n_right=60)
    found = verdict(judged)
    assert outcomes(judged) == {"error_rate": "pass", "success": "pass"}
    assert found.estimate is not None
    assert found.comparison is not None
    assert (found.estimate.n, found.estimate.value, found.comparison.n_pairs) == (60, 1.0, 60)
    assert (found.comparison.lost, found.comparison.removed, found.comparison.added) == ((), (), ())
    assert found.comparison.reference.n == 60
    [kept] = [one for one in judged.finished.estimates if one.metric == "success"]
    assert (kept.n, len(judged.finished.trials)) == (61, 61)
    assert [one.case for one in judged.quarantines["refunds"].held] == ["c060"]
    release(made, "refunds", "c060", by="Dana", reason="mended", at=CLOCK.now())
    again = run(made, cases(60, 0, "flaky 0"), moody)
    assert outcomes(again)["success"] == "below_floor"
    assert again.quarantines == {}


def test_a_quarantine_whose_time_is_over_has_no_effect(tmp_path: Path) -> None:
    made, _ = judged_with(tmp_path, 1, n_right=60)
    judged = run(made, cases(60, 0, "flaky 0"), moody, started=CLOCK.now() + timedelta(days=31))
    assert outcomes(judged)["success"] == "below_floor"
    assert [one.case for one in judged.quarantines["refunds"].expired] == ["c060"]


def test_a_quarantined_case_that_is_gone_or_has_no_answer_is_neither_removed_nor_missing(tmp_path: Path) -> None:
    made, judged = judged_with(tmp_path, 5, n_right=60, of=cases(60, 0, "flaky 0"))
    found = verdict(judged).comparison
    assert found is not None
    assert found.removed == ()
    flaky_ones = [f"flaky {n}" for n in range(5)]
    down = run(made, cases(60, 0, *flaky_ones), lambda text: shop("down" if "flaky" in text else text))
    assert (outcomes(down)["success"], verdict(down).estimate) == ("pass", verdict(judged).estimate)


def test_no_suite_passes_by_its_quarantine_alone(tmp_path: Path) -> None:
    _, judged = judged_with(tmp_path, 6)
    found = verdict(judged)
    assert (found.outcome, found.reason) == ("inconclusive", "case set changed")
    assert found.message.startswith(
        "only 20 of 26 cases of the baseline are as they were (0 edited, 0 removed, 6 quarantined)"
    )
    assert found.next_step == ("Mend quarantined cases and take them out of quarantine: no suite passes by it alone")
    assert judged.code == 11


def test_a_suite_of_which_every_case_is_quarantined_has_no_value_and_stays_red(tmp_path: Path) -> None:
    _, judged = judged_with(tmp_path, 3, n_right=0)
    assert outcomes(judged)["success"] == "inconclusive:missing"
    assert judged.code == 11


def test_a_quarantine_that_cannot_be_read_is_told_and_quarantines_nothing(tmp_path: Path) -> None:
    made, _ = judged_with(tmp_path, 1, n_right=60)
    made.quarantines.path("refunds").write_text("{}", "utf-8")
    judged = run(made, cases(60, 0, "flaky 0"), moody)
    assert outcomes(judged)["success"] == "below_floor"
    [told] = [cause.text for cause in judged.causes if cause.code == exits.USAGE]
    assert "refunds.json: its schema is None" in told


def test_quarantined_cases_are_told_together_by_owner_and_day(tmp_path: Path) -> None:
    made, _ = judged_with(tmp_path, 3, n_right=60)
    quarantine(made, wanted("c061", owner="Lee"))
    judged = run(made, cases(60, 0, *(f"flaky {n}" for n in range(3))), moody)
    until = wanted().until
    those = f"c060, c062 (Kim, until {until}); c061 (Lee, until {until})"
    assert f"3 cases quarantined, out of what gates: {those}" in [*repeats_lines(judged, "refunds")]


def test_a_quarantined_case_is_marked_where_it_fails_or_is_flaky(tmp_path: Path) -> None:
    _, judged = judged_with(tmp_path, 1, n_right=2, repeats=3)
    lines = [line.text for line in measured_lines(judged, "refunds", (), verbose=True)]
    assert "  flaky: c002 (1 of 3, quarantined)" in lines
    several = [one for one in judged.finished.estimates if one.metric == "success"]
    lines = [line.text for line in measured_lines(judged, "refunds", several, verbose=True)]
    assert any(line.startswith("  no success on c002, attempt 3 (quarantined): ") for line in lines)


def test_what_a_run_can_see_leaves_quarantined_cases_out(tmp_path: Path) -> None:
    made, judged = judged_with(tmp_path, 2, n_right=60)
    plan = Plan(planned=tuple((suite, case, str(n)) for suite, case, n in (one.key for one in judged.finished.trials)))
    [now] = sights(made, plan, live=True, at=CLOCK.now())
    [later] = sights(made, plan, live=True, at=CLOCK.now() + timedelta(days=31))
    assert (now.split(",")[0], later.split(",")[0]) == ("refunds: with 60 cases", "refunds: with 62 cases")


def test_nothing_is_said_of_what_a_run_can_see_where_all_of_it_is_quarantined(tmp_path: Path) -> None:
    made, judged = judged_with(tmp_path, 3, n_right=0)
    plan = Plan(planned=tuple((suite, case, str(n)) for suite, case, n in (one.key for one in judged.finished.trials)))
    assert [*sights(made, plan, live=True, at=CLOCK.now())] == []
