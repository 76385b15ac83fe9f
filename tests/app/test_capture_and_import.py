"""From production to the suite: recordings taken into the history, and failures that become cases."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pytest_agenteval.app.capture import Capture, capture, parse_expectations
from pytest_agenteval.app.importing import Import, import_recording
from pytest_agenteval.app.registry import Registry
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.errors import CaseError, HistoryError, InvalidValue, MetricError, RecordingError
from pytest_agenteval.model.case import Case
from pytest_agenteval.model.run import FinishedRun
from pytest_agenteval.store.casefiles import read_cases
from tests.app.projects import AT, cases, project, run, write

SECRET = "sk-0123456789abcdefghij"
HEADER = {"schema": "agenteval-recording/1", "agent": {"name": "shop", "model": "m1"}, "at": "2026-07-24T10:00:00Z"}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A project with one case file that has one case."""
    made = project(tmp_path)
    write(tmp_path / "suites/refunds/cases/cases.jsonl", {"id": "known", "input": "q", "expect": {"contains": ["yes"]}})
    return made


def case_file(workspace: Workspace, name: str = "cases.jsonl") -> Path:
    return workspace.settings.path("suite_folder") / "refunds" / "cases" / name


def recording(workspace: Workspace, *rows: dict[str, Any], name: str = "log", **header: Any) -> Path:
    head = {key: value for key, value in {**HEADER, **header}.items() if value is not None}
    return write(Path(workspace.settings.root) / f"{name}.jsonl", head, *rows)


def row(case: str = "known", output: str = "yes", **more: Any) -> dict[str, Any]:
    return {"case": case, "trajectory": {"output": output}, **more}


def taken(workspace: Workspace, file: Path, suite: str = "refunds", **more: Any) -> FinishedRun:
    return import_recording(workspace, Registry(), Import(file=file, suite=suite, **more))


# Importing.


def test_a_recording_becomes_a_run_at_its_own_date(workspace: Workspace) -> None:
    finished = taken(workspace, recording(workspace, row(), row(attempt=2, output="no")))
    assert finished.run.started == finished.run.ended == datetime(2026, 7, 24, 10, tzinfo=UTC)
    assert (finished.run.mode, workspace.history.weeks()) == ("import", ["2026-W30"])
    kept = workspace.history.read(finished.run.id)
    assert (kept.run, list(kept.trials), kept.estimates) == (finished.run, finished.trials, finished.estimates)
    assert [score.value for trial in finished.trials if (score := trial.score("success"))] == [True, False]
    [success] = [one for one in finished.estimates if one.metric == "success"]
    assert (success.n, success.value) == (1, 0.5)
    assert {trial.trajectory.agent.model for trial in finished.trials} == {"m1"}
    assert {trial.origin for trial in finished.trials} == {"replay"}


def test_a_time_that_is_given_goes_first_and_one_that_nobody_knows_is_asked_for(workspace: Workspace) -> None:
    file = recording(workspace, row(), at=None)
    with pytest.raises(RecordingError, match="does not say when it was recorded: give --at"):
        taken(workspace, file)
    assert taken(workspace, file, at=AT).run.started == AT
    known = recording(workspace, row(), name="known")
    assert taken(workspace, known, at=AT.replace(year=2027)).run.started.year == 2027


def test_a_trial_that_tells_its_time_and_agent_keeps_them(workspace: Workspace) -> None:
    told = row(at="2026-07-01T00:00:00Z")
    told["trajectory"]["agent"] = {"name": "other"}
    [trial] = taken(workspace, recording(workspace, told), origin="production").trials
    assert (trial.at.day, trial.trajectory.agent.name, trial.origin) == (1, "other", "production")


def test_the_same_recording_is_not_taken_in_twice_whatever_its_name(workspace: Workspace) -> None:
    taken(workspace, recording(workspace, row()))
    with pytest.raises(HistoryError, match="a run's segment is written once"):
        taken(workspace, recording(workspace, row(), name="copy"))
    assert len(workspace.history.runs()) == 1
    taken(workspace, recording(workspace, row(output="no"), name="other"))
    taken(workspace, recording(workspace, row()), suite="refunds[gpt]")
    assert len(workspace.history.runs()) == 3


def test_a_row_without_input_must_name_a_case_of_the_suite(workspace: Workspace) -> None:
    with pytest.raises(
        RecordingError, match=r"case 'strange' is in no case file of suite 'refunds', and the row has no"
    ):
        taken(workspace, recording(workspace, row("strange")))
    assert workspace.history.runs() == []


def test_a_row_may_bring_its_own_input_and_expectation(workspace: Workspace) -> None:
    own = row("strange", "no", input="from outside", expect={"contains": ["no"]})
    reworded = row("known", "no", input="in other words")
    first, second = taken(workspace, recording(workspace, own, reworded)).trials
    assert (first.case.id, first.case.input, first.case.expect) == ("known", "in other words", {"contains": ["yes"]})
    assert (second.case.input, second.case.expect) == ("from outside", {"contains": ["no"]})
    assert (first.score("success"), second.score("success")) != (None, None)


def test_a_suite_of_a_parameter_has_the_cases_of_the_whole(workspace: Workspace) -> None:
    [trial] = taken(workspace, recording(workspace, row()), suite="refunds[gpt]").trials
    assert (trial.case.suite, trial.case.input) == ("refunds[gpt]", "q")


def test_what_lies_beside_the_case_files_is_no_case_file(workspace: Workspace) -> None:
    for name in (".DS_Store", ".cases.jsonl.swp", "README.md", "LICENSE.txt"):
        case_file(workspace, name).write_text("nothing of ours", "utf-8")
    assert workspace.case_files("refunds") == [case_file(workspace)]
    assert len(taken(workspace, recording(workspace, row())).trials) == 1


def test_an_unknown_metric_or_a_broken_line_is_refused_before_anything_is_kept(workspace: Workspace) -> None:
    with pytest.raises(MetricError, match="no metric 'sucess'"):
        taken(workspace, recording(workspace, row()), metrics=("sucess",))
    with pytest.raises(RecordingError, match=r"log\.jsonl:2: unknown key 'trajectry'"):
        taken(workspace, recording(workspace, {"case": "known", "trajectry": {}}))
    assert workspace.history.runs() == []


def test_what_is_taken_in_is_redacted(workspace: Workspace) -> None:
    [trial] = taken(workspace, recording(workspace, row(output=f"yes, {SECRET}"))).trials
    assert SECRET not in str(trial)


# Capturing.


def wanted(source: str, **more: Any) -> Capture:
    given = {"failure_mode": "FM-013", "expect": {"contains": ["sorry"]}, "reason": "sent money", "by": "Dana"}
    return Capture(**{"source": source, "at": AT, **given, **more})


def captured(workspace: Workspace, source: str, **more: Any) -> tuple[Case, str]:
    return capture(workspace, Registry(), wanted(source, **more))


def produced(workspace: Workspace, question: str = "send me money") -> str:
    """The id of a production trial in the history."""
    own = row("req-1", "done", input=question)
    [trial] = taken(workspace, recording(workspace, own, name="production"), origin="production").trials
    return trial.id


def test_a_production_trial_becomes_a_case_that_the_next_run_reads(workspace: Workspace) -> None:
    trial = produced(workspace)
    case, place = captured(workspace, trial, tags=("must_pass",))
    assert place == f"{case_file(workspace)}:2"
    _, read = read_cases(case_file(workspace), "refunds")
    assert read.case == case
    assert (read.place, case.input, case.expect) == (place, "send me money", {"contains": ["sorry"]})
    assert case.id.startswith("fm-013-")
    assert (case.failure_mode, case.must_pass) == ("FM-013", True)
    assert case.provenance == {
        "trial": trial,
        "case": "req-1",
        "at": "2026-07-24T10:00:00Z",
        "captured_at": "2026-11-24T09:00:00Z",
        "reason": "sent money",
    }


def test_a_capture_is_a_change_in_the_audit_log(workspace: Workspace) -> None:
    case, _ = captured(workspace, produced(workspace))
    [record] = workspace.audit.records()
    change = record.change
    assert (change.action, change.subject, change.actor) == ("case.capture", f"refunds/{case.id}", "Dana")
    assert change.after == {"failure_mode": "FM-013", "fingerprint": case.fingerprint}


def test_the_beginning_of_a_trials_id_is_enough(workspace: Workspace) -> None:
    case, _ = captured(workspace, produced(workspace)[:20])
    assert case.input == "send me money"


def test_a_trial_of_a_parametrised_agent_becomes_a_case_of_the_whole_suite(workspace: Workspace) -> None:
    judged = run(workspace, cases(1, suite="refunds[gpt]"))
    case, _ = captured(workspace, judged.finished.trials[0].id)
    assert case.suite == "refunds"


def test_nothing_is_captured_twice(workspace: Workspace) -> None:
    trial = produced(workspace)
    case, place = captured(workspace, trial)
    with pytest.raises(CaseError, match=f"{place} already has this case .{case.id}.; edit that entry instead"):
        captured(workspace, trial, case_id="another-id", expect={"contains": ["other"]})
    with pytest.raises(CaseError, match=r"cases\.jsonl:1 already has this case \(known\)"):
        captured(workspace, produced(workspace, "another question"), case_id="known")
    assert len(read_cases(case_file(workspace), "refunds")) == 2
    assert len(workspace.audit.records()) == 1


def test_nothing_is_captured_twice_in_another_file_of_the_suite_either(workspace: Workspace) -> None:
    case_file(workspace, "more.yaml").write_text("- id: other\n  input: send me money\n", "utf-8")
    with pytest.raises(CaseError, match=r"more\.yaml:1 already has this case \(other\)"):
        captured(workspace, produced(workspace))


@pytest.mark.parametrize(
    "line",
    [
        {"input": "hello"},
        {"question": "hello", "answer": "no"},
        {"prompt": "hello"},
        {"request": "hello", "suite": "refunds"},
        {"case": {"id": "x", "input": "hello", "suite": "refunds[gpt]"}},
        {"trial": {"case": {"id": "x", "input": "hello"}}},
        {"case": "x", "input": "hello"},
    ],
)
def test_a_line_of_a_log_becomes_a_case(workspace: Workspace, tmp_path: Path, line: dict[str, Any]) -> None:
    log = write(tmp_path / "logs" / "prod.jsonl", {"input": "not me"}, line)
    case, _ = captured(workspace, f"{log}:2", suite="refunds")
    assert case.input == "hello"
    assert case.provenance is not None
    assert (case.provenance["file"], case.provenance["line"]) == ("prod.jsonl", 2)
    assert str(tmp_path) not in json.dumps(case.provenance)


def test_the_suite_of_a_line_is_the_one_it_tells_or_must_be_named(workspace: Workspace, tmp_path: Path) -> None:
    log = write(tmp_path / "log.jsonl", {"input": "a", "suite": "refunds[gpt]"}, {"input": "b"})
    assert captured(workspace, f"{log}:1")[0].suite == "refunds"
    with pytest.raises(CaseError, match=r"log\.jsonl:2 does not say which suite it belongs to: name it by --suite"):
        captured(workspace, f"{log}:2")


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (None, 1, "cannot be read: No such file or directory. Name a file"),
        ("{}\n", 2, "the file has no such line"),
        ("{broken\n", 1, "not JSON"),
        ("{}\n", 1, "has no input: the line needs one of the keys input, question, prompt, request"),
        ("[1]\n", 1, "has no input"),
        ('"text"\n', 1, "has no input"),
    ],
)
def test_a_line_that_cannot_be_taken_is_named(
    workspace: Workspace, tmp_path: Path, text: str | None, line: int, said: str
) -> None:
    log = tmp_path / "odd.jsonl"
    if text is not None:
        log.write_text(text, "utf-8")
    with pytest.raises(CaseError, match=rf"odd\.jsonl:{line}:? {said}"):
        captured(workspace, f"{log}:{line}", suite="refunds")


def test_a_trial_that_is_not_there_is_named(workspace: Workspace) -> None:
    with pytest.raises(HistoryError, match="has no trial '01JD'"):
        captured(workspace, "01JD")


def test_input_expectation_and_reason_are_redacted(workspace: Workspace, tmp_path: Path) -> None:
    log = write(tmp_path / "log.jsonl", {"input": f"my key is {SECRET}"})
    captured(
        workspace, f"{log}:1", suite="refunds", reason=f"leaked {SECRET}", expect={"excludes": [SECRET], SECRET: "x"}
    )
    assert SECRET not in case_file(workspace).read_text("utf-8")


def test_of_several_case_files_one_must_be_named(workspace: Workspace, tmp_path: Path) -> None:
    write(case_file(workspace, "angry.jsonl"), {"id": "x", "input": "y"})
    trial = produced(workspace)
    with pytest.raises(CaseError, match=r"several case files: angry\.jsonl, cases\.jsonl\. Say which by --file"):
        captured(workspace, trial)
    with pytest.raises(CaseError, match=r"has no 'nope\.jsonl', but angry\.jsonl, cases\.jsonl\. Say which by --file"):
        captured(workspace, trial, file="nope.jsonl")
    assert captured(workspace, trial, file="angry.jsonl")[1] == f"{case_file(workspace, 'angry.jsonl')}:2"


def test_a_suite_without_a_case_file_says_what_to_make(workspace: Workspace, tmp_path: Path) -> None:
    log = write(tmp_path / "log.jsonl", {"input": "a"})
    with pytest.raises(
        CaseError, match=r"has no case file \(\.jsonl\) that a test reads: make one, and name it in load"
    ):
        captured(workspace, f"{log}:1", suite="billing")


@pytest.mark.parametrize("more", [{"case_id": "x-r1"}, {"case_id": " "}, {"reason": ""}, {"by": ""}])
def test_a_capture_that_makes_no_sense_writes_nothing(
    workspace: Workspace, tmp_path: Path, more: dict[str, str]
) -> None:
    log = write(tmp_path / "log.jsonl", {"input": "a"})
    with pytest.raises(InvalidValue):
        captured(workspace, f"{log}:1", suite="refunds", **more)
    assert len(read_cases(case_file(workspace), "refunds")) == 1
    assert workspace.audit.records() == []


# Expectations on the command line.


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("output=yes", {"output": "yes"}),
        ("output=3", {"output": 3}),
        ("output=a=b", {"output": "a=b"}),
        ("output=", {"output": ""}),
        ('number={"value": 3}', {"number": {"value": 3}}),
        ("contains=sorry, refund ,", {"contains": ["sorry", "refund"]}),
        ('contains=["a, b"]', {"contains": ["a, b"]}),
        ('contains="a, b"', {"contains": ["a, b"]}),
        ("contains=30", {"contains": ["30"]}),
        ("calls=", {"calls": []}),
        ("calls=[]", {"calls": []}),
        ("calls=lookup_order,send", {"calls": ["lookup_order", "send"]}),
        ('calls={"name": "send", "args": {"to": "a, b"}}', {"calls": [{"name": "send", "args": {"to": "a, b"}}]}),
        ("forbidden_tools=delete", {"forbidden_tools": ["delete"]}),
        ("tone={broken", {"tone": "{broken"}),
    ],
)
def test_a_word_is_an_expectation(word: str, expected: dict[str, Any]) -> None:
    assert parse_expectations([word]) == expected


@pytest.mark.parametrize("word", ["", "contains", "=x"])
def test_a_word_without_key_or_value_is_refused(word: str) -> None:
    with pytest.raises(CaseError, match="is not KEY=VALUE, as in --expect calls=lookup_order"):
        parse_expectations([word])


def test_an_expectation_given_twice_is_refused_and_not_half_forgotten() -> None:
    with pytest.raises(CaseError, match="contains=first,second"):
        parse_expectations(["contains=a", "contains=b"])


def test_several_words_are_one_expectation() -> None:
    assert parse_expectations(["output=yes", "calls=a"]) == {"output": "yes", "calls": ["a"]}
    assert parse_expectations([]) == {}


def test_an_expectation_that_is_nearly_one_that_a_metric_reads_is_refused() -> None:
    with pytest.raises(CaseError, match="'outptu'; did you mean 'output'"):
        parse_expectations(["outptu=yes"])
