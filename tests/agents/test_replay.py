"""Recordings: what is read, what is refused, and what is answered from them."""

from __future__ import annotations

import gzip
import io
import json
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agenteval.agents import connect
from pytest_agenteval.agents import replay as replay_module
from pytest_agenteval.agents.replay import NotInRecording, ReplayAgent, read_recording
from pytest_agenteval.contracts import Call
from pytest_agenteval.errors import InfrastructureError, RecordingError
from pytest_agenteval.model.case import Case
from pytest_agenteval.model.recording import RECORDING_SCHEMA
from pytest_agenteval.model.trajectory import AgentIdentity, Fault, Step, Trajectory
from tests.agents.adversarial import kinds, payload

CASE = Case(id="a", input="hello", suite="shop")
HEADER: dict[str, Any] = {"schema": RECORDING_SCHEMA, "agent": {"name": "shop", "version": "1"}}
ROW: dict[str, Any] = {"case": "a", "trajectory": {"output": "hi"}}

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write these lines (rows or texts) as a recording."""

    def writing(*lines: object, name: str = "run.jsonl") -> Path:
        text = "".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines)
        path = tmp_path / name
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return path

    return writing


def replayed(path: Path, case: Case = CASE, attempt: int = 1) -> Trajectory:
    return ReplayAgent(path).answer(Call(case=case, attempt=attempt))


@pytest.mark.parametrize("name", ["run.jsonl", "run.jsonl.gz"])
def test_a_recording_is_read_packed_or_plain(write: Write, name: str) -> None:
    recording = read_recording(write(HEADER, ROW, {**ROW, "attempt": 2}, name=name))
    assert recording.header.agent == AgentIdentity(name="shop", version="1")
    assert list(recording.rows) == [("a", 1), ("a", 2)]
    assert recording.rows["a", 1].trajectory == Trajectory(output="hi")


def test_a_recording_without_trials_is_one(write: Write) -> None:
    assert not read_recording(write(HEADER)).rows


def test_the_last_line_may_lack_its_line_end(write: Write) -> None:
    path = write(HEADER, ROW)
    path.write_bytes(path.read_bytes().rstrip())
    assert len(read_recording(path).rows) == 1


@pytest.mark.parametrize(
    ("lines", "place", "message"),
    [
        ([], 1, "the first line of a recording is its header"),
        ([ROW], 1, "the first line of a recording is its header"),
        ([{"agent": {"name": "x"}}], 1, "its header, with the schema 'agenteval-recording/1', not None"),
        ([{**HEADER, "schema": "agenteval-recording/2"}], 1, "not 'agenteval-recording/2'"),
        ([[]], 1, "its header"),
        ([{**HEADER, "licnce": "MIT"}], 1, "unknown key 'licnce'.*did you mean 'licence'"),
        ([HEADER, {**ROW, "atempt": 2}], 2, "unknown key 'atempt'.*did you mean 'attempt'"),
        ([HEADER, {"case": "a"}], 2, "needs the key 'trajectory'"),
        ([HEADER, {**ROW, "attempt": 0}], 2, "counted from 1"),
        ([HEADER, {**ROW, "attempt": "1"}], 2, "a int is due"),
        ([HEADER, ROW, {**ROW, "case": "b"}, ROW], 4, r"case 'a' attempt 1 stands already at .*run\.jsonl:2"),
        ([HEADER, "", ROW], 2, "not JSON"),
        ([HEADER, '{"case": "a", "trajectory": {"output": NaN}}'], 2, "NaN is not a JSON number"),
        ([HEADER, '{"case": "a", "case": "b"}'], 2, "'case' stands twice"),
        ([HEADER, {**ROW, "trajectory": {}}], 2, "either an output or an error"),
    ],
)
def test_what_is_not_as_it_was_written_is_refused_with_its_line(
    write: Write, lines: list[object], place: int, message: str
) -> None:
    with pytest.raises(RecordingError, match=rf"run\.jsonl:{place}: .*{message}"):
        read_recording(write(*lines))


@pytest.mark.parametrize("row", [*kinds("json_number"), *kinds("json_depth")])
def test_numbers_and_nesting_that_cannot_be_held_are_refused(write: Write, row: str) -> None:
    line = f'{{"case": "a", "trajectory": {{"output": {payload(row)}}}}}'
    with pytest.raises(RecordingError, match=r"run\.jsonl:2: "):
        read_recording(write(HEADER, line))


@pytest.mark.parametrize("row", ["V038", "V039", "V040"])
def test_bytes_that_are_no_utf8_are_refused(write: Write, row: str) -> None:
    path = write(HEADER)
    with path.open("ab") as file:
        file.write(payload(row) + b"\n")
    with pytest.raises(RecordingError, match=r"run\.jsonl:2: .*utf-8"):
        read_recording(path)


def test_a_torn_last_line_is_told(write: Write) -> None:
    path = write(HEADER, ROW, ROW)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(RecordingError, match=r"run\.jsonl:3: .*the last line is cut off"):
        read_recording(path)


@given(cut=st.integers(min_value=1, max_value=90))
def test_a_packed_recording_cut_anywhere_is_refused(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    packed = gzip.compress("".join(json.dumps(line) + "\n" for line in (HEADER, ROW)).encode())
    path = tmp_path_factory.mktemp("cut") / "run.jsonl.gz"
    path.write_bytes(packed[: -min(cut, len(packed))] or b"\x1f")
    with pytest.raises(RecordingError, match=r"run\.jsonl\.gz:\d: "):
        read_recording(path)


def zipped() -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for entry in payload("V080")["entries"]:
            unit, times = entry["repeat"]
            file.writestr(entry["name"], unit * times)
    return archive.getvalue()


@pytest.mark.parametrize("content", [b"not packed", b"\x1f\x8b" + b"\0" * 40, zipped()])
@pytest.mark.parametrize("name", ["run.jsonl.gz", "run.jsonl"])
def test_garbage_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RecordingError, match=rf"{name}:1: "):
        read_recording(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_packed_file_that_unpacks_without_end_is_refused(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_module, "_LONGEST_RECORDING", 2**20)
    path = write(HEADER, "A" * 2**21, name="run.jsonl.gz")
    with pytest.raises(RecordingError, match=r"run\.jsonl\.gz:2: .*longer than 1 MiB"):
        read_recording(path)


def test_a_folder_is_no_recording(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="cannot be read"):
        read_recording(tmp_path)


def test_a_trial_is_answered_as_it_was_recorded(write: Write) -> None:
    steps = [{"kind": "tool", "name": "refund", "seconds": 0.5}]
    trajectory = {
        "output": "done",
        "steps": steps,
        "confidence": 0.5,
        "seconds": 2.0,
        "recorded": {"success": True},
    }
    path = write(HEADER, {**ROW, "fingerprint": CASE.fingerprint, "trajectory": trajectory})
    assert replayed(path) == Trajectory(
        output="done",
        steps=(Step(kind="tool", name="refund", seconds=0.5),),
        confidence=0.5,
        seconds=2.0,
        recorded={"success": True},
        agent=AgentIdentity(name="shop", version="1"),
    )


def test_the_trial_of_each_attempt_is_its_own(write: Write) -> None:
    path = write(HEADER, ROW, {**ROW, "attempt": 2, "trajectory": {"output": "hi again"}})
    assert replayed(path, attempt=2).output == "hi again"


def test_a_recorded_fault_stays_a_fault(write: Write) -> None:
    fault = {"kind": "agent", "type": "KeyError", "message": "'order'"}
    path = write(HEADER, {**ROW, "trajectory": {"error": fault}})
    assert replayed(path).error == Fault(kind="agent", type="KeyError", message="'order'")


def test_a_recorded_empty_text_is_what_it_is(write: Write) -> None:
    assert replayed(write(HEADER, {**ROW, "trajectory": {"output": ""}})).output == ""


def test_a_row_may_name_an_agent_of_its_own(write: Write) -> None:
    path = write(HEADER, {**ROW, "trajectory": {"output": "hi", "agent": {"name": "shop", "version": "2"}}})
    assert replayed(path).agent.version == "2"


def test_lone_surrogates_do_not_leave_the_recording(write: Write) -> None:
    path = write(HEADER, {**ROW, "trajectory": {"output": payload("V042")}})
    assert replayed(path).output == "\ufffd lone surrogate"


@pytest.mark.parametrize(("case_id", "attempt"), [("b", 1), ("a", 2)])
def test_a_missing_trial_is_no_error_of_the_agent(write: Write, case_id: str, attempt: int) -> None:
    path = write(HEADER, ROW)
    with pytest.raises(
        NotInRecording, match=rf"no trial of case '{case_id}' attempt {attempt} in .*run\.jsonl"
    ) as caught:
        replayed(path, Case(id=case_id, input="hello"), attempt)
    assert isinstance(caught.value, InfrastructureError)
    assert caught.value.permanent


def test_another_wording_is_refused_and_told_how_to_record_it(write: Write) -> None:
    path = write(HEADER, {**ROW, "fingerprint": CASE.fingerprint})
    reworded = Case(id="a", input="good day")
    with pytest.raises(NotInRecording, match=r"another wording of case 'a'.*--agent-eval-record"):
        replayed(path, reworded)


def test_a_case_is_asked_in_its_own_wording_where_the_row_has_none(write: Write) -> None:
    assert ReplayAgent(write(HEADER, ROW)).asked(Call(case=CASE)) == CASE


def test_a_case_that_is_not_recorded_is_asked_as_it_is(write: Write) -> None:
    assert ReplayAgent(write(HEADER)).asked(Call(case=CASE)) == CASE


def test_a_case_is_asked_in_the_recorded_wording(write: Write) -> None:
    worded = Case(id="a", suite="shop", input="good day", expect={"calls": []})
    row = {**ROW, "input": "good day", "expect": {"calls": []}, "fingerprint": worded.fingerprint}
    agent = ReplayAgent(write(HEADER, row))
    asked = agent.asked(Call(case=CASE))
    assert asked == worded
    assert agent.asked(Call(case=asked)) == asked
    assert agent.answer(Call(case=asked)).output == agent.answer(Call(case=CASE)).output == "hi"


def test_an_expectation_alone_may_be_of_another_wording(write: Write) -> None:
    agent = ReplayAgent(write(HEADER, {**ROW, "expect": {"exact": "hi"}}))
    assert agent.asked(Call(case=CASE)) == Case(id="a", suite="shop", input="hello", expect={"exact": "hi"})


def test_a_wording_that_is_not_the_fingerprints_is_refused(write: Write) -> None:
    path = write(HEADER, {**ROW, "input": "good day", "fingerprint": CASE.fingerprint})
    with pytest.raises(NotInRecording, match="another wording"):
        replayed(path)


def test_the_file_is_read_once_and_only_when_needed(write: Write) -> None:
    path = write(HEADER, ROW)
    agent = connect(path)
    path.write_text("changed before anybody asked\n")
    with pytest.raises(RecordingError):
        agent.answer(Call(case=CASE))
    write(HEADER, ROW)
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(agent.answer(Call(case=CASE)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    path.unlink()
    assert found == [agent.answer(Call(case=CASE))] * 8
    assert agent.identity.name == "shop"
