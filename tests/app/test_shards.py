"""The shards of a run: dealt alike everywhere, and joined where all are there and are parts of one whole."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agenteval.app.judging import Cause
from pytest_agenteval.app.merging import merge
from pytest_agenteval.app.registry import Registry
from pytest_agenteval.app.runs import Job, RunOptions, Shard, parse_shard, plan_of, run_folder, with_always_measured
from pytest_agenteval.app.shards import SHARD_SCHEMA, ShardEnd, Shards, notes, read_shards, write_shard
from pytest_agenteval.app.trials import Trials
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.errors import HistoryError, SettingsError, ShardError
from pytest_agenteval.model.run import Run
from tests.app.projects import AT, CLOCK, cases, gate, project, shop

CASES = st.lists(st.tuples(st.sampled_from("ab"), st.text(max_size=3)), unique=True, max_size=30)


@given(CASES, st.integers(1, 7), st.randoms())
def test_each_case_is_in_one_shard_whatever_the_order_and_no_shard_has_two_more_than_another(
    of: list[tuple[str, str]], count: int, chance: Any
) -> None:
    shards = [Shard(number=number, of=count) for number in range(1, count + 1)]
    dealt = [shard.cases(of) for shard in shards]
    chance.shuffle(of)
    assert [shard.cases([*of, *of]) for shard in shards] == dealt
    assert sorted(case for hand in dealt for case in hand) == sorted(of)
    sizes = [len(hand) for hand in dealt]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("text", ["", "2", "0/3", "4/3", "1/0", "a/b", "1/3/5", "-1/3", "1 /3"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="is no shard; write 1/5"):
        parse_shard(text)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return project(tmp_path, gate("success = { floor = 0.5 }"))


def leave(workspace: Workspace, number: int, of: int = 3, *, asked: Sequence[Any] = (), **about: Any) -> Path:
    """What a session of that shard leaves, in a folder of its own."""
    found = list(asked) or cases(4, 1)
    registry, shard = Registry(), Shard(number=number, of=of)
    metrics = with_always_measured(["success"], registry)
    jobs = {case.id: Job(suite=case.suite, case=case, metrics=metrics) for case in found}
    begun = Run(id="ci-7", started=AT, versions={"python": f"3.{number}"})
    settings = workspace.settings
    trials = Trials(begun, settings, registry, RunOptions(), clock=CLOCK, name=f"{number}-of-{of}-main")
    for job in jobs.values():
        if (job.suite, job.case.id) in shard.cases((one.suite, one.case.id) for one in jobs.values()):
            trials.trial(job, shop)
            trials.score(job)
    trials.close()
    end = ShardEnd(
        schema=SHARD_SCHEMA, shard=shard, run=begun, options=RunOptions(shard=shard, concurrency=number),
        plan=replace(plan_of(jobs), cases_digest="all"),
    )  # fmt: skip
    made = run_folder(settings, begun.id)
    write_shard(made, replace(end, **about), Path(settings.root))
    kept = Path(settings.root) / f"job-{number}-of-{of}"
    shutil.rmtree(kept, ignore_errors=True)
    shutil.move(made, kept)
    return kept


def read(workspace: Workspace, *places: Path, **how: Any) -> Shards:
    return read_shards(places, Path(workspace.settings.root), **how)


def all_three(workspace: Workspace) -> list[Path]:
    return [leave(workspace, number) for number in (1, 2, 3)]


def test_all_shards_make_one_run_from_the_first_start_to_the_last_end(workspace: Workspace) -> None:
    shards = read(workspace, *all_three(workspace))
    assert [str(end.shard) for end in shards.ends] == ["shard 1 of 3", "shard 2 of 3", "shard 3 of 3"]
    assert [trial.case.id for trial in shards.trials] == ["c000", "c001", "c002", "c003", "c004"]
    assert shards.run.versions == {"python": "3.1, 3.2, 3.3"}
    assert notes(shards) == ["shard 1 of 3: 2 trials", "shard 2 of 3: 2 trials", "shard 3 of 3: 1 trial"]
    judged = merge(workspace, shards)
    assert {one.metric: one.outcome for one in judged.verdicts}["error_rate"] == "pass"
    with pytest.raises(HistoryError, match="the history has run ci-7: its shards were merged already"):
        merge(workspace, shards)


def test_a_folder_above_holds_them_all_and_one_named_twice_is_read_once(workspace: Workspace) -> None:
    places = all_three(workspace)
    assert len(read(workspace, Path(workspace.settings.root), *places).ends) == 3


def another_plan(workspace: Workspace) -> list[Path]:
    return [*all_three(workspace)[:2], leave(workspace, 3, asked=cases(6))]


def other_options(workspace: Workspace) -> list[Path]:
    shard = Shard(number=3, of=3)
    return [*all_three(workspace)[:2], leave(workspace, 3, options=RunOptions(shard=shard, repeats=2))]


def edited_cases(workspace: Workspace) -> list[Path]:
    plan = read(workspace, *all_three(workspace)).plan
    return [*all_three(workspace)[:2], leave(workspace, 3, plan=replace(plan, cases_digest="other"))]


def other_metrics(workspace: Workspace) -> list[Path]:
    plan = read(workspace, *all_three(workspace)).plan
    return [*all_three(workspace)[:2], leave(workspace, 3, plan=replace(plan, specs={}))]


def interrupted(workspace: Workspace) -> list[Path]:
    return [*all_three(workspace)[:2], leave(workspace, 3, causes=(Cause(code=2, text="interrupted"),))]


def twice(workspace: Workspace) -> list[Path]:
    places = all_three(workspace)
    return [*places, Path(shutil.copytree(places[1], places[1].with_name("again")))]


def unreadable(workspace: Workspace) -> list[Path]:
    places = all_three(workspace)
    (places[0] / "shard-1-of-3.json").write_text("{")
    return places


REFUSED: dict[str, tuple[Callable[[Workspace], list[Path]], str]] = {
    "missing": (
        lambda workspace: [leave(workspace, 2)],
        "of the 3 shards of run ci-7 there is no 1, 3. .* --agent-eval-shard 1/3 --agent-eval-run-id ci-7",
    ),
    "twice": (twice, "shard 2 of 3 of run ci-7 is there twice, .*job-2-of-3.* and .*again"),
    "other-count": (lambda workspace: [leave(workspace, 1), leave(workspace, 2, 2)], "these are no parts of one run"),
    "other-cases": (another_plan, "another plan than shard 1 of 3: shard 3 of 3 alone has attempt 1 of case 'c005'"),
    "other-options": (other_options, r"the options differ \(repeats\)"),
    "other-metrics": (other_metrics, "the tests or their metrics differ"),
    "edited-cases": (edited_cases, "the same cases ask otherwise"),
    "interrupted": (interrupted, r"shard 3 of 3 of run ci-7 did not come to its end \(interrupted\). Run it again"),
    "unreadable": (unreadable, "shard-1-of-3.json cannot be read"),
    "no-folder": (lambda workspace: [Path(workspace.settings.root) / "nowhere"], "nowhere is no folder"),
    "nothing": (lambda workspace: [Path(workspace.settings.root)], "no shard of a run lies in these folders"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_whole_run_is_refused_with_the_next_step(workspace: Workspace, name: str) -> None:
    make, told = REFUSED[name]
    with pytest.raises(ShardError, match=told):
        read(workspace, *make(workspace))


def test_of_several_runs_one_is_to_be_named(workspace: Workspace) -> None:
    places = [*all_three(workspace), leave(workspace, 1, 1, run=Run(id="ci-8", started=AT))]
    with pytest.raises(ShardError, match=r"shards of ci-7, ci-8\. Name one of these runs by --run-id"):
        read(workspace, *places)
    with pytest.raises(ShardError, match="--run-id"):
        read(workspace, *places, run_id="ci-9")
    assert read(workspace, *places, run_id="ci-8").run.id == "ci-8"


def test_a_torn_line_is_told_and_its_trial_is_missing(workspace: Workspace) -> None:
    places = all_three(workspace)
    journal = places[2] / "journal-3-of-3-main.jsonl"
    journal.write_bytes(journal.read_bytes()[:-20])
    shards = read(workspace, *places)
    assert notes(shards)[2:] == [
        "shard 3 of 3: 0 trials",
        "1 line of the journals is torn and left out: what was not finished is not there",
    ]
    judged = merge(workspace, shards)
    assert (judged.finished.run.partial, judged.code) == (("refunds",), 11)


def test_what_a_shard_that_did_not_end_left_in_the_folder_of_another_does_not_count(workspace: Workspace) -> None:
    places = all_three(workspace)
    killed = (places[1] / "journal-2-of-3-main.jsonl").read_text().replace('"yes"', '"what nobody took"')
    (places[0] / "journal-2-of-3-main.jsonl").write_text(killed)
    outputs = {trial.output for trial in read(workspace, *places).trials}
    assert outputs == {"yes", "no"}
    assert len(read(workspace, *places).trials) == 5


def test_where_a_metric_is_defined_is_found_on_another_machine(workspace: Workspace) -> None:
    here = Path(workspace.settings.root)
    plan = replace(
        read(workspace, *all_three(workspace)).plan, origins={"mine": str(here / "conftest.py"), "success": ""}
    )
    places = [leave(workspace, number, plan=plan) for number in (1, 2, 3)]
    shards = read_shards(places, Path("/elsewhere"))
    assert shards.plan.origins == {"mine": str(Path("/elsewhere/conftest.py")), "success": ""}
