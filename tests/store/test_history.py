"""The history: immutable segments, an index that is derived from them, and one answer however it is asked."""

from __future__ import annotations

import contextlib
import gzip
import json
import math
import os
import sqlite3
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agenteval import stats
from pytest_agenteval.errors import HistoryError, IntegrityError
from pytest_agenteval.model.codec import encode
from pytest_agenteval.model.estimate import CaseScores, Estimate
from pytest_agenteval.model.run import FinishedRun, Run, week_of
from pytest_agenteval.model.score import MetricSpec, Score
from pytest_agenteval.model.trajectory import Trajectory
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.store.history import History
from pytest_agenteval.store.history.frames import TRIAL_COLUMNS, trial_frame, week_frame
from pytest_agenteval.store.history.segments import read_segment, write_segment
from tests.store.rows import AT, payloads, score, trial

SPECS = {
    "success": MetricSpec(name="success", kind="binary"),
    "latency": MetricSpec(name="latency", kind="unbounded", range=None, better="lower", aggregate="p95"),
    "pass_hat_2": MetricSpec(name="pass_hat_2", kind="binary", aggregate="pass_hat_2"),
    "pass_at_2": MetricSpec(name="pass_at_2", kind="binary", aggregate="pass_at_2"),
    "calibration": MetricSpec(name="calibration", better="lower", aggregate="ece"),
    "steps": MetricSpec(name="steps", kind="unbounded", range=None),
}


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "history", tmp_path / "work" / "index.sqlite")


def estimate(metric: str, value: float | None, n: int, suite: str = "refunds", part: str = "") -> Estimate:
    return Estimate(suite=suite, metric=metric, n=n, value=value, slice=part)


def estimates_of(trials: list[Trial], suite: str) -> tuple[Estimate, ...]:
    """Each metric's estimate, by the statistics alone."""
    made = []
    for metric, spec in SPECS.items():
        cases: dict[str, list[float]] = {}
        pairs = []
        for one in trials:
            found = one.score(metric)
            if one.case.suite == suite and found is not None and found.value is not None:
                cases.setdefault(one.case.id, []).append(float(found.value))
                pairs.append((one.trajectory.confidence or 0.0, float(str(found.evidence.get("correct", 0)))))
        value, n = None, len(cases)
        if spec.aggregate == "mean" and n:
            value = stats.exact_mean([stats.exact_mean(values) for values in cases.values()])
        elif spec.aggregate == "p95" and n:
            value = stats.quantile([number for values in cases.values() for number in values], 0.95)
        elif spec.aggregate == "ece" and n:
            value = stats.ece([stated for stated, _ in pairs], [right for _, right in pairs], closed="right")
        elif spec.aggregate.startswith("pass"):
            counts = [(len(values), int(sum(values))) for values in cases.values()]
            rate = stats.pass_k_suite(counts, 2, "at" if "_at_" in spec.aggregate else "hat")
            value, n = rate["mean"], rate["cases"]
        made.append(estimate(metric, value, n, suite))
    return tuple(made)


def gap(stated: float, verdict: float | None) -> Score:
    """The score of the calibration, as the metric ``ece`` gives it."""
    if verdict is None:
        return score(None, "calibration")
    return replace(
        score(abs(stated - verdict), "calibration"), evidence={"confidence": stated, "correct": int(verdict)}
    )


def finished(
    number: int = 0,
    *,
    suite: str = "refunds",
    days: float = 0,
    partial: tuple[str, ...] = (),
    won: float = 1.0,
) -> FinishedRun:
    """A run of two cases with two attempts each; ``steps`` is never evaluated."""
    start = AT + timedelta(days=days)
    trials = []
    for case in ("b", "a"):
        for attempt in (1, 2):
            plain = trial(case, suite=suite, attempt=attempt, at=start)
            plain = replace(plain, id=f"run{number}-{plain.id}")
            values = {"success": won if case == "a" else attempt - 1.0, "latency": attempt + number / 3}
            values |= {name: values["success"] for name in ("pass_hat_2", "pass_at_2")}
            scores = [*(score(v, name) for name, v in values.items()), gap(0.5, values["success"])]
            trials.append(plain.with_scores([*scores, score(None, "steps")]))
    run = Run(id=f"run-{number}", started=start, specs=SPECS, partial=partial, versions={"python": "3.11"})
    return FinishedRun(run=run, trials=trials, estimates=estimates_of(trials, suite))


def in_order(made: FinishedRun) -> FinishedRun:
    return replace(made, trials=tuple(sorted(made.trials, key=lambda one: one.key)))


# segments


def test_a_segment_is_read_back_in_canonical_order(tmp_path: Path) -> None:
    made = finished()
    path = write_segment(tmp_path, made)
    assert path == tmp_path / "2026-W48" / "run-run-0.jsonl.gz"
    assert read_segment(path) == in_order(made)
    assert read_segment(path).estimates == made.estimates


def test_a_segment_is_never_overwritten(tmp_path: Path) -> None:
    content = write_segment(tmp_path, finished()).read_bytes()
    with pytest.raises(HistoryError, match=r"run-run-0\.jsonl\.gz exists.*another id"):
        write_segment(tmp_path, finished(won=0.0))
    assert (tmp_path / "2026-W48" / "run-run-0.jsonl.gz").read_bytes() == content


@pytest.mark.parametrize(
    "variables",
    [
        {"TZ": "Pacific/Kiritimati", "LC_ALL": "C"},
        {"TZ": "America/Adak", "LC_ALL": "tr_TR.UTF-8"},
        {"PYTHONUTF8": "0"},
    ],
    ids=["far east", "far west", "no UTF-8 mode"],
)
def test_the_bytes_of_a_segment_depend_on_the_run_alone(variables: dict[str, str], tmp_path: Path) -> None:
    command = (
        "import pathlib, sys; from tests.store.test_history import finished, write_segment;"
        "print(write_segment(pathlib.Path(sys.argv[1]), finished()))"
    )
    made = subprocess.run(
        [sys.executable, "-c", command, str(tmp_path / "there")],
        env=os.environ | variables,
        cwd=Path(__file__).parents[2],
        check=True,
        capture_output=True,
        text=True,
    )
    there = Path(made.stdout.strip())
    assert there.parent.name == "2026-W48"
    assert there.read_bytes() == write_segment(tmp_path / "here", finished()).read_bytes()


def test_the_week_is_that_of_the_utc_instant_of_the_start(tmp_path: Path) -> None:
    [(_, events)] = payloads("clock")
    weeks = [write_segment(tmp_path, started(number, text)).parent.name for number, text in enumerate(events)]
    assert weeks == ["2026-W53", "2026-W53", "2027-W01"]
    eastern = datetime(2027, 1, 4, 5, tzinfo=timezone(timedelta(hours=14)))
    assert write_segment(tmp_path, started(9, eastern.isoformat())).parent.name == "2026-W53"


def started(number: int, text: str) -> FinishedRun:
    return FinishedRun(run=Run(id=f"r{number}", started=datetime.fromisoformat(text)), trials=())


@given(st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)), st.integers(-14 * 60, 14 * 60))  # noqa: DTZ001
def test_any_instant_has_the_iso_week_of_utc(naive: datetime, minutes: int) -> None:
    at = naive.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    year, week, _ = at.astimezone(UTC).isocalendar()
    assert week_of(at) == f"{year}-W{week:02}"


def damaged(path: Path, line: int, old: str, new: str) -> None:
    lines = gzip.decompress(path.read_bytes()).decode().split("\n")
    assert old in lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(old, new)
    path.write_bytes(gzip.compress("\n".join(lines).encode()))


@pytest.mark.parametrize(
    ("line", "old", "new", "said"),
    [
        (3, '"value":1.0', '"value":NaN', r":3: not a sound segment: NaN"),
        (2, '"case":{', '"case":{"id":"x",', r":2: not a sound segment: the key 'id' stands twice"),
        (2, '"trajectory":', '"trajectry":', r":2: .*unknown key 'trajectry' in a Trial; did you mean"),
        (1, "history/1", "history/2", r":1: its schema is 'agenteval-history/2'.*upgrade pytest-agenteval"),
        (1, '"schema"', '"scheme"', r":1: its schema is None.*move the file out"),
        (1, '"started"', '"begun"', r":1: .*unknown key 'begun' in a Run"),
        (5, "}\n", "", r":5: .*cut short"),
    ],
)
def test_an_unsound_line_of_a_segment_is_named(line: int, old: str, new: str, said: str, tmp_path: Path) -> None:
    path = write_segment(tmp_path, finished())
    if old == "}\n":
        path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-2]))
    else:
        damaged(path, line, old, new)
    with pytest.raises(HistoryError, match=rf"run-run-0\.jsonl\.gz{said}"):
        read_segment(path)


def test_a_foreign_format_is_refused_and_never_loaded(tmp_path: Path) -> None:
    path = tmp_path / "run-x.jsonl.gz"
    for content in (payloads("deserialise")[0][1], b"", gzip.compress(b""), gzip.compress(b"\xff\n")):
        path.write_bytes(content)
        with pytest.raises(HistoryError, match=r"run-x\.jsonl\.gz:1: not a sound segment"):
            read_segment(path)


# the history


def test_runs_are_listed_in_the_order_of_their_starts(history: History) -> None:
    for number, days in [(1, 8.0), (2, 0.5), (3, 0.0000001)]:
        history.append(finished(number, days=days, suite="x" if number == 2 else "refunds"))
    assert [run.id for run in history.runs()] == ["run-3", "run-2", "run-1"]
    assert [run.id for run in history.runs("x")] == ["run-2"]
    assert history.runs("none") == []
    assert history.runs()[2] == finished(1, days=8.0).run


def test_a_run_is_read_by_its_id(history: History) -> None:
    history.append(finished(1))
    assert history.read("run-1") == in_order(finished(1))
    with pytest.raises(HistoryError, match="has no run 'run-7'"):
        history.read("run-7")


def test_a_trial_is_found_by_its_id_or_a_beginning_that_only_it_has(history: History) -> None:
    history.append(finished(1))
    history.append(finished(11))
    assert history.find_trial("run1-trial-refunds-a-2").key == ("refunds", "a", 2)
    assert history.find_trial("run11-trial-refunds-b-1").id == "run11-trial-refunds-b-1"
    with pytest.raises(HistoryError, match=r"2 trials begin with 'run1-trial-refunds-a': run1-trial-refunds-a-1, "):
        history.find_trial("run1-trial-refunds-a")
    for nothing in ("refunds", "run1_", "%"):
        with pytest.raises(HistoryError, match="has no trial"):
            history.find_trial(nothing)
    with pytest.raises(HistoryError, match="8 trials begin with ''"):
        history.find_trial("")


def test_a_week_has_the_value_of_its_last_whole_run(history: History) -> None:
    history.append(finished(1, won=0.0))
    history.append(finished(2, days=1, won=1.0))
    history.append(finished(3, days=2, won=0.0, partial=("refunds",)))
    history.append(finished(4, days=21, won=0.0))
    values = history.week_values("refunds", "success")
    assert [(one.week, one.run, one.estimate.value) for one in values] == [
        ("2026-W48", "run-2", 0.75), ("2026-W51", "run-4", 0.25),
    ]  # fmt: skip
    assert values[0].at == AT + timedelta(days=1)
    assert history.weeks() == history.weeks("refunds") == ["2026-W48", "2026-W51"]
    assert history.weeks("none") == []
    assert [one.week for one in history.week_values(metric="success", until="2026-W50")] == ["2026-W48"]


def test_a_metric_that_the_last_run_lacks_has_no_value_in_that_week(history: History) -> None:
    history.append(finished(1))
    last = finished(2, days=1)
    kept = tuple(one for one in last.estimates if one.metric != "latency")
    history.append(replace(last, estimates=kept))
    assert history.week_values(metric="latency") == []
    assert len(history.week_values(metric="success")) == 1


def test_slices_and_estimates_without_a_value_are_kept_apart(history: History) -> None:
    run = finished(1)
    sliced = (
        estimate("success", 0.5, 1, part="tag=fast"),
        estimate("success", 0.75, 2),
        estimate("steps", None, 0),
    )
    history.append(replace(run, estimates=sliced))
    assert [one.estimate for one in history.week_values()] == [sliced[2], sliced[1]]


def test_the_values_of_a_run_are_told_case_by_case(history: History) -> None:
    run = finished(1)
    history.append(run)
    a, b = in_order(run).trials[1], in_order(run).trials[3]
    assert history.case_scores("run-1", "refunds")["success"] == {
        "a": CaseScores(fingerprint=a.case_fingerprint, values=(1.0, 1.0), answers=(a.answer_digest,) * 2),
        "b": CaseScores(fingerprint=b.case_fingerprint, values=(0.0, 1.0), answers=(b.answer_digest,) * 2),
    }
    assert "steps" not in history.case_scores("run-1", "refunds")


def test_an_attempt_without_a_score_keeps_the_others_in_their_places(history: History) -> None:
    trials = [
        trial(attempt=1),
        trial(attempt=2, trajectory=Trajectory(output="other")).with_scores([score(1.0)]),
    ]
    history.append(replace(finished(1), trials=trials, estimates=()))
    [found] = history.case_scores("run-1", "refunds")["success"].values()
    assert (found.values, found.answers) == ((1.0,), (trials[1].answer_digest,))


@pytest.mark.parametrize("made_anew", [False, True])
def test_the_cases_of_a_run_are_told_by_tag(history: History, tmp_path: Path, *, made_anew: bool) -> None:
    tags = {"a": ("vip", "it's\n'] -- \u2028"), "b": ("vip",), "c": ()}
    trials = [
        replace(one, case=replace(one.case, tags=tags[one.case.id]))
        for one in (trial(case, attempt=attempt) for case in tags for attempt in (1, 2))
    ]
    other = trial("a", suite="triage")
    history.append(replace(finished(1), trials=[*trials, other], estimates=()))
    if made_anew:
        (tmp_path / "work" / "index.sqlite").unlink()
    assert history.tagged("run-1", "refunds") == {
        "vip": frozenset({"a", "b"}),
        "it's\n'] -- \u2028": frozenset({"a"}),
    }
    assert history.tagged("run-1", "triage") == {}
    assert history.tagged("none", "refunds") == {}


def test_an_index_of_an_older_layout_is_made_anew(history: History, tmp_path: Path) -> None:
    history.append(finished(1))
    with contextlib.closing(sqlite3.connect(tmp_path / "work" / "index.sqlite")) as connection:
        connection.executescript("DROP TABLE suite; DROP TABLE moved; PRAGMA user_version = 4;")
    assert history.tagged("run-1", "refunds") == {}
    assert [run.id for run in history.runs()] == ["run-1"]


def test_one_bad_segment_is_a_problem_and_hides_nothing_else(history: History) -> None:
    paths = [history.append(finished(number, days=7 * number)) for number in range(4)]
    paths[1].write_bytes(b"not gzip at all")
    paths[2].write_bytes(paths[2].read_bytes()[:-40])  # cut within the third line
    damaged(paths[3], 2, '"case_fingerprint"', '"fingerprint"')
    assert [run.id for run in history.runs()] == ["run-0"]
    problems = history.problems()
    assert [problem.split(": ")[0] for problem in problems] == [
        f"{paths[1]}:1",
        f"{paths[2]}:3",
        f"{paths[3]}:2",
    ]
    assert all("out of the history" in problem for problem in problems)


@given(
    value=st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False),
    reason=st.text(max_size=5),
    version=st.integers(1, 2),
    evidence=st.dictionaries(st.text(max_size=2), st.text(max_size=2), max_size=1),
)
def test_a_score_stands_in_the_segment_as_the_codec_writes_it(
    value: float | bool | None,
    reason: str,
    version: int,
    evidence: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    one = Score(metric="m", value=value, reason=reason or "none", metric_version=version, evidence=evidence)
    path = write_segment(tmp_path_factory.mktemp("s"), replace(finished(), trials=[trial().with_scores([one])]))
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as stream:
        _, line = stream.read().split("\n")[:2]
    assert json.loads(line) == encode(trial().with_scores([one]))


@pytest.mark.parametrize("value", ['"high"', "1" + 400 * "0"])
def test_a_score_that_is_no_number_makes_its_segment_a_problem(history: History, value: str) -> None:
    damaged(history.append(finished(1)), 2, '"value":1.0', f'"value":{value}')
    assert history.runs() == []
    [problem] = history.problems()
    assert ":2: not a trial" in problem


def test_a_copy_of_a_segment_is_a_problem_and_counts_once(history: History) -> None:
    path = history.append(finished(1))
    (path.parent / "run-1 (copy).jsonl.gz").write_bytes(path.read_bytes())
    assert len(history.runs()) == 1
    [problem] = history.problems()
    assert "run 'run-1' stands already in 2026-W48/run-run-1.jsonl.gz" in problem


def test_a_run_of_the_same_id_is_refused(history: History) -> None:
    history.append(finished(1))
    with pytest.raises(HistoryError, match="exists"):
        history.append(finished(1, won=0.0))


def test_an_empty_history_answers_with_nothing(history: History) -> None:
    assert [history.runs(), history.week_values(), history.problems()] == [[], [], []]


# the index


def answers(history: History) -> object:
    return history.runs(), history.week_values(), history.case_scores("run-1", "refunds")["success"]


@pytest.mark.parametrize("spoil", ["delete", "garbage", "version", "truncate"])
def test_the_index_can_be_lost_at_any_time(history: History, spoil: str, tmp_path: Path) -> None:
    for number in (1, 2):
        history.append(finished(number, days=7 * number))
    before = answers(history)
    index = tmp_path / "work" / "index.sqlite"
    match spoil:
        case "delete":
            index.unlink()
        case "garbage":
            index.write_bytes(b"x" * 5000)
        case "truncate":
            index.write_bytes(b"")
        case "version":
            content = bytearray(index.read_bytes())
            content[60:64] = (99).to_bytes(4, "big")
            index.write_bytes(content)
    assert answers(history) == before
    assert sorted(one.name for one in index.parent.iterdir()) == ["index.sqlite"]


def test_segments_that_come_go_or_change_are_noticed(history: History) -> None:
    path = history.append(finished(1))
    write_segment(history.root, finished(2, days=7))
    assert [run.id for run in history.runs()] == ["run-1", "run-2"]
    path.unlink()
    assert [run.id for run in history.runs()] == ["run-2"]
    write_segment(history.root, finished(1, won=0.0))
    assert [one.estimate.value for one in history.week_values(metric="success")] == [0.25, 0.75]


def test_what_is_taken_in_when_sealed_equals_what_is_read_from_the_segment(history: History, tmp_path: Path) -> None:
    for number in (1, 2):
        history.append(finished(number, days=7 * number))
    assert answers(History(history.root, tmp_path / "other.sqlite")) == answers(history)


def test_an_index_that_cannot_be_made_names_itself(history: History, tmp_path: Path) -> None:
    history.append(finished(1))
    (tmp_path / "file").write_text("")
    with pytest.raises(IntegrityError, match=r"file.index\.sqlite could not be written"):
        History(history.root, tmp_path / "file" / "index.sqlite").runs()


def test_a_folder_in_place_of_the_index_names_itself(history: History, tmp_path: Path) -> None:
    history.append(finished(1))
    (tmp_path / "folder").mkdir()
    with pytest.raises(IntegrityError, match="folder c"):
        History(history.root, tmp_path / "folder").runs()


# from week to week


def measured(number: int, days: float, values: dict[str, list[float | None]], **changed: object) -> FinishedRun:
    """A run of cases, each with the scores that its attempts got by ``success`` and by ``latency``."""
    trials = [
        trial(case, attempt=place).with_scores([score(value), score(value, "latency")])
        for case, attempts in values.items()
        for place, value in enumerate(attempts, start=1)
    ]
    trials = [replace(one, id=f"{number}-{one.id}", **changed) for one in trials]  # type: ignore[arg-type]
    run = Run(id=f"run-{number}", started=AT + timedelta(days=days), specs=SPECS)
    known = [number for attempts in values.values() for number in attempts if number is not None]
    value, n = (stats.exact_mean(known), len(known)) if known else (None, 0)
    return FinishedRun(run=run, trials=trials, estimates=(estimate("success", value, n), estimate("latency", value, n)))


def moved(history: History, metric: str = "success") -> list[tuple[str, int | None, int | None, int | None]]:
    steps = history.week_steps("refunds", metric)
    return [(step.value.week, step.better, step.worse, step.common) for step in steps]


def test_each_week_tells_its_change_and_the_cases_that_moved(history: History) -> None:
    history.append(measured(1, 0, {"a": [0.0], "b": [1.0], "c": [0.5], "gone": [1.0]}))
    history.append(measured(2, 21, {"a": [1.0], "b": [0.0], "c": [0.5, 1.0], "new": [1.0]}))
    first, second = history.week_steps("refunds", "success")
    assert (first.value.week, first.change, first.better, first.worse, first.common) == ("2026-W48", *[None] * 4)
    assert (second.value.week, second.better, second.worse, second.common) == ("2026-W51", 2, 1, 3)
    assert first.value.estimate.value is not None
    assert second.value.estimate.value is not None
    assert second.change == second.value.estimate.value - first.value.estimate.value


def test_of_a_metric_that_shall_be_low_less_is_better(history: History) -> None:
    history.append(measured(1, 0, {"a": [0.0], "b": [1.0], "c": [1.0]}))
    history.append(measured(2, 7, {"a": [1.0], "b": [0.5], "c": [0.5]}))
    assert moved(history, "latency")[-1] == ("2026-W49", 2, 1, 3)
    assert moved(history, "success")[-1] == ("2026-W49", 1, 2, 3)


def test_an_edited_case_and_one_without_a_value_are_not_common(history: History) -> None:
    history.append(measured(1, 0, {"a": [0.0], "b": [None], "c": [None, 1.0]}))
    history.append(measured(2, 7, {"a": [1.0], "b": [1.0], "c": [None, 0.0]}))
    history.append(measured(3, 14, {"a": [0.0], "b": [0.0], "c": [0.0]}, case_fingerprint="edited"))
    assert moved(history)[1:] == [("2026-W49", 1, 1, 2), ("2026-W50", 0, 0, 0)]


def test_another_version_of_a_metric_begins_anew(history: History) -> None:
    history.append(measured(1, 0, {"a": [0.0]}))
    run = measured(2, 7, {"a": [1.0]})
    history.append(replace(run, estimates=(replace(run.estimates[0], metric_version=2),)))
    assert moved(history)[-1] == ("2026-W49", None, None, None)


def test_what_was_counted_once_is_kept_and_the_same(history: History, tmp_path: Path) -> None:
    for number in range(3):
        history.append(measured(number, 7 * number, {"a": [number % 2], "b": [0.5, number / 3], "c": [None]}))
    first = history.week_steps()
    with contextlib.closing(sqlite3.connect(tmp_path / "work" / "index.sqlite")) as connection:
        assert connection.execute("SELECT count(*) FROM moved").fetchone() == (4,)
        connection.executescript("DELETE FROM score")  # nothing is left to count anew
    assert history.week_steps() == first
    assert [step.value for step in first if step.value.estimate.metric == "success"] == history.week_values(
        "refunds", "success"
    )


# frames


def test_the_frame_has_a_row_for_each_trial_and_metric() -> None:
    frame = trial_frame([in_order(finished(1))])
    assert tuple(frame.columns) == TRIAL_COLUMNS
    assert len(frame) == 4 * 6
    row = frame[(frame["case"] == "b") & (frame["attempt"] == 2) & (frame["metric"] == "success")].iloc[0]
    assert (row["run"], row["week"], row["suite"], row["agent"]) == ("run-1", "2026-W48", "refunds", "bot")
    assert (row["value"], row["tokens"], row["cost_usd"], row["at"]) == (1.0, 3.0, 0.25, pd.Timestamp(AT))
    assert math.isnan(row["seconds"])
    steps = frame[frame["metric"] == "steps"]
    assert steps["value"].isna().all()
    assert set(steps["reason"]) == {"no steps were reported"}


def test_the_frame_of_nothing_has_the_same_columns_and_types() -> None:
    empty, full = trial_frame([]), trial_frame([finished(1)])
    assert list(empty.columns) == list(full.columns)
    assert str(empty["at"].dtype) == str(full["at"].dtype)
    assert week_frame(empty).empty


def as_rows(history: History) -> list[tuple[object, ...]]:
    return [
        (one.suite, one.estimate.metric, one.week, one.run, one.estimate.n, one.estimate.value)
        for one in history.week_values()
    ]


def frame_rows(frame: pd.DataFrame) -> list[tuple[object, ...]]:
    return [(*row[:5], None if math.isnan(row[5]) else row[5]) for row in frame.itertuples(index=False)]


def close(one: list[tuple[object, ...]], other: list[tuple[object, ...]]) -> bool:
    return [row[:5] for row in one] == [row[:5] for row in other] and all(
        a == b if a is None or b is None else math.isclose(float(str(a)), float(str(b)), rel_tol=1e-12)
        for a, b in zip([row[5] for row in one], [row[5] for row in other], strict=True)
    )


def test_the_weekly_table_by_pandas_equals_the_answer_of_the_index(history: History) -> None:
    history.append(finished(1, won=0.0))
    history.append(finished(2, days=2))
    history.append(finished(3, days=2.5, partial=("refunds",)))
    history.append(finished(4, days=9, suite="returns"))
    history.append(finished(5, days=30, won=0.0))
    table = week_frame(trial_frame([history.read(run.id) for run in history.runs()]))
    assert close(frame_rows(table), as_rows(history))
    assert len(table) == 3 * 6


@given(
    runs=st.lists(
        st.tuples(
            st.integers(0, 20),
            st.booleans(),
            st.dictionaries(
                st.tuples(st.sampled_from("abc"), st.integers(1, 3)),
                st.tuples(st.none() | st.booleans(), st.floats(0, 1e6), st.floats(0, 1)),
                min_size=1,
            ),
        ),
        max_size=4,
    )
)
def test_for_any_scores_pandas_and_the_index_agree(
    runs: list[tuple[int, bool, dict[tuple[str, int], tuple[bool | None, float, float]]]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("any")
    history, kept = History(folder / "history", folder / "index.sqlite"), []
    for number, (days, partial, cells) in enumerate(runs):
        at = AT + timedelta(days=days, seconds=number)
        trials = []
        for (case, attempt), (verdict, seconds, stated) in cells.items():
            answer = Trajectory(output="x", confidence=stated)
            plain = trial(case, attempt=attempt, at=at, trajectory=answer, id=f"{number}-{case}-{attempt}")
            verdicts = [score(verdict, name) for name in ("success", "pass_hat_2", "pass_at_2")]
            verdicts.append(gap(stated, verdict))
            trials.append(plain.with_scores([*verdicts, score(seconds, "latency"), score(None, "steps")]))
        run = Run(id=f"r{number}", started=at, specs=SPECS, partial=("refunds",) if partial else ())
        kept.append(FinishedRun(run=run, trials=trials, estimates=estimates_of(trials, "refunds")))
        history.append(kept[-1])
    assert close(frame_rows(week_frame(trial_frame(kept))), as_rows(history))


def test_the_header_line_tells_its_schema(tmp_path: Path) -> None:
    path = write_segment(tmp_path, finished())
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        assert json.loads(stream.readline())["schema"] == "agenteval-history/1"
