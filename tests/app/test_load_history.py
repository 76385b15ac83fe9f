"""The history as tables, and as pages: both say what the index says."""

from __future__ import annotations

import gzip
import math
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pytest_agenteval import load_history
from pytest_agenteval.app.registry import Registry
from pytest_agenteval.app.reporting import render_report
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.contracts import Metric
from pytest_agenteval.errors import HistoryError
from pytest_agenteval.metrics.declare import metric
from pytest_agenteval.model.score import Score
from pytest_agenteval.model.trajectory import Step, Trajectory
from pytest_agenteval.model.trial import Trial
from tests.app.projects import AT, cases, project, run


@metric(kind="binary", aggregate="pass_hat_2")
def twice(trial: Trial) -> bool:
    return trial.output == "yes"


@metric(kind="binary", better="lower", aggregate="ece", needs=["confidence"])
def sureness(trial: Trial) -> Score:
    right = trial.output == "yes"
    sure = trial.trajectory.confidence or 0.0
    return Score(metric="sureness", value=right, evidence={"confidence": sure, "correct": right})


def told(text: str) -> Trajectory:
    """An answer with everything that a table tells."""
    wrong = "wrong" in text
    steps = (Step(kind="model", tokens_in=7, tokens_out=len(text), cost_usd=0.001 * len(text)),)
    return Trajectory(
        output="no" if wrong else "yes",
        steps=steps,
        confidence=0.65 if wrong else 0.95,
        seconds=0.1 * len(text),
    )


def test_a_run_that_cannot_be_read_whole_is_left_out_with_a_warning(tmp_path: Path) -> None:
    made = project(tmp_path)
    good = run(made, cases(2), started=AT - timedelta(days=1)).finished.run.id
    spoilt = run(made, cases(2), started=AT).finished.run.id
    [path] = tmp_path.glob(f"history/*/run-{spoilt}.jsonl.gz")
    with gzip.open(path, "rt") as stream:
        text = stream.read()
    with gzip.open(path, "wt") as stream:
        stream.write(text.replace('"attempt"', '"atempt"').replace('"trajectory":', '"unknown":1,"trajectory":'))
    with pytest.warns(UserWarning, match="left out: .*unknown key 'unknown'"):
        assert set(load_history(tmp_path).trials["run"]) == {good}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Three weeks of runs: whole ones, one of a part, and one of a candidate."""
    made = project(tmp_path)
    metrics: list[str | Metric] = ["success", twice, sureness]
    for days, right in ((0, 5), (1, 3), (9, 4), (16, 2)):
        run(made, cases(right, 2), told, metrics=metrics, repeats=3, started=AT - timedelta(days=days))
    run(made, cases(1), told, metrics=metrics, started=AT + timedelta(hours=1), partial=["refunds"])
    run(made, cases(6), told, metrics=metrics, started=AT + timedelta(hours=2), candidate="gpt")
    run(made, cases(3, 3, "down", suite="billing"), started=AT, metrics=["success"])
    return made


def root(workspace: Workspace) -> Path:
    return Path(workspace.settings.root)


def test_the_weekly_table_equals_the_answer_of_the_index(workspace: Workspace) -> None:
    weeks = load_history(root(workspace)).weeks
    rows = {(row.suite, row.metric, row.week): row for row in weeks.itertuples()}
    values = workspace.history.week_values()
    assert len(values) == len(rows) == 7 * 3 + 5
    for value in values:
        found: Any = rows[value.suite, value.estimate.metric, value.week]
        assert (found.run, found.n) == (value.run, value.estimate.n)
        if value.estimate.value is None:
            assert math.isnan(found.value)
        else:
            assert found.value == pytest.approx(value.estimate.value, abs=1e-12)


def test_the_table_of_trials_has_a_row_for_each_trial_and_metric(workspace: Workspace) -> None:
    trials = load_history(str(root(workspace))).trials
    runs = [workspace.history.read(one.id) for one in workspace.history.runs()]
    assert len(trials) == sum(len(trial.scores) for one in runs for trial in one.trials)
    billing = trials[trials["suite"] == "billing"]
    [down] = billing[(billing["case"] == "c006") & (billing["metric"] == "success")].itertuples()
    assert math.isnan(float(str(down.value)))
    assert "infrastructure error" in str(down.reason)


def test_a_segment_that_cannot_be_read_hides_nothing_else(workspace: Workspace) -> None:
    before = load_history(root(workspace)).trials
    [first, *_] = workspace.history.root.glob("*/*.gz")
    lost = first.name.removeprefix("run-").removesuffix(".jsonl.gz")
    first.write_bytes(b"torn")
    after = load_history(root(workspace)).trials
    assert set(after["run"]) == set(before["run"]) - {lost}
    assert len(workspace.history.problems()) == 1


def test_an_empty_history_is_two_empty_tables(tmp_path: Path) -> None:
    frames = load_history(tmp_path)
    assert (len(frames.trials), len(frames.weeks)) == (0, 0)
    assert list(frames.weeks.columns) == ["suite", "metric", "week", "run", "n", "value"]


# The report.


def rendered(workspace: Workspace, **how: Any) -> list[Path]:
    return render_report(workspace, Registry(), now=AT + timedelta(days=1), **how)


def test_both_pages_are_written_under_the_newest_week(workspace: Workspace) -> None:
    html, markdown = rendered(workspace)
    assert html == workspace.settings.path("reports") / "2026-W48.html"
    assert markdown.name == "2026-W48.md"
    assert "refunds" in markdown.read_text("utf-8")
    assert "Dana" in html.read_text("utf-8")


def test_week_suite_and_path_may_be_asked_for(workspace: Workspace, tmp_path: Path) -> None:
    html, markdown = rendered(workspace, week="2026-W47", suites=["refunds"], output=tmp_path / "out" / "v1.2")
    assert (html, markdown) == (tmp_path / "out" / "v1.2.html", tmp_path / "out" / "v1.2.md")
    assert "billing" not in markdown.read_text("utf-8")


def test_the_same_history_gives_the_same_pages_to_the_byte(workspace: Workspace, tmp_path: Path) -> None:
    first = [page.read_bytes() for page in rendered(workspace, output=tmp_path / "a")]
    assert first == [page.read_bytes() for page in rendered(workspace, output=tmp_path / "b")]


def test_a_template_of_the_project_goes_first(workspace: Workspace) -> None:
    folder = workspace.settings.path("templates")
    folder.mkdir()
    (folder / "report.md.j2").write_text("ours alone\n", "utf-8")
    _, markdown = rendered(workspace)
    assert markdown.read_text("utf-8").startswith("ours alone")


def test_without_a_whole_run_there_is_no_report(tmp_path: Path) -> None:
    workspace = project(tmp_path)
    with pytest.raises(HistoryError, match="holds no whole run; make one: pytest --agent-eval"):
        rendered(workspace)
    run(workspace, cases(1), partial=["refunds"])
    with pytest.raises(HistoryError, match="holds no whole run"):
        rendered(workspace)


def test_a_replay_stands_in_the_week_of_its_recording(tmp_path: Path) -> None:
    from pytest_agenteval.app.judging import seal
    from pytest_agenteval.app.recording import record
    from pytest_agenteval.app.runs import RunOptions

    workspace = project(tmp_path)
    first = run(workspace, cases(2))
    record(first, workspace)
    later = run(workspace, cases(2), options=RunOptions(mode="replay"), started=AT + timedelta(days=70))
    assert later.finished.run.recorded
    assert workspace.history.weeks() == ["2026-W48"]
    assert set(load_history(tmp_path).weeks["week"]) == {"2026-W48"}
    moved = replace(later.finished.run, id="moved", recorded={"refunds": datetime(2026, 1, 1, tzinfo=AT.tzinfo)})
    assert seal(replace(later, finished=replace(later.finished, run=moved)), workspace) == []
    assert workspace.history.weeks() == ["2026-W01", "2026-W48"]
