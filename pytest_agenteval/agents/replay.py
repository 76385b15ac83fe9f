"""A recording as an agent: kept trials, answered again."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import BinaryIO, TypeVar, cast

from pytest_agenteval.contracts import Call
from pytest_agenteval.errors import AgentTargetError, InfrastructureError, InvalidValue, RecordingError
from pytest_agenteval.model.answer import settled
from pytest_agenteval.model.case import Case
from pytest_agenteval.model.codec import decode
from pytest_agenteval.model.jsonvalue import parse
from pytest_agenteval.model.recording import RECORDING_SCHEMA, RecordedTrial, RecordingHeader
from pytest_agenteval.model.trajectory import AgentIdentity, Trajectory
from pytest_agenteval.model.trial import Origin

_Row = TypeVar("_Row", RecordingHeader, RecordedTrial)

_LONGEST_RECORDING = 256 * 1024 * 1024
"""Bytes when unpacked: a small file can unpack without end."""


class NotInRecording(InfrastructureError):
    """The recording holds no answer to the case as it is asked: the recording fails, not the agent."""

    permanent = True
    """Asking again does not help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A recording as read: its header, and its trials by case id and attempt."""

    header: RecordingHeader
    rows: Mapping[tuple[str, int], RecordedTrial]


class ReplayAgent:
    """An agent that answers from a recording, which is read once, when it is first needed.

    Raises AgentTargetError where there is no such file.
    """

    origin: Origin = "replay"

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            message = f"there is no recording {str(path)!r}; make one with --agent-eval-record"
            raise AgentTargetError(message)
        self._recording: Recording | None = None
        self._reading = Lock()

    @property
    def recording(self) -> Recording:
        """What the file holds. Raises RecordingError where it cannot be read."""
        with self._reading:
            if self._recording is None:
                self._recording = read_recording(self.path)
            return self._recording

    @property
    def identity(self) -> AgentIdentity:
        """The agent that was recorded."""
        return self.recording.header.agent

    def asked(self, call: Call) -> Case:
        """The case in the wording in which the recorded agent was asked it."""
        row = self.recording.rows.get((call.case.id, call.attempt))
        if row is None:
            return call.case
        worded = call.case if row.input is None else replace(call.case, input=row.input)
        return worded if row.expect is None else replace(worded, expect=row.expect)

    def begun(self, call: Call) -> datetime | None:
        """When the trial was recorded, as far as the recording tells."""
        row = self.recording.rows.get((call.case.id, call.attempt))
        return row.at if row is not None and row.at is not None else self.recording.header.at

    def answer(self, call: Call) -> Trajectory:
        """What the agent did when it was recorded.

        Raises NotInRecording where the recording has no such trial, or has it of another wording.
        """
        row = self.recording.rows.get((call.case.id, call.attempt))
        if row is None:
            message = f"no trial of case {call.case.id!r} attempt {call.attempt} in {self.path}"
            raise NotInRecording(message)
        if row.fingerprint and row.fingerprint != self.asked(call).fingerprint:
            message = (
                f"the recording {self.path} holds another wording of case {call.case.id!r}; "
                "record it anew with --agent-eval-record"
            )
            raise NotInRecording(message)
        return settled(row.trajectory, self.identity)


def read_recording(path: str | Path) -> Recording:
    """Read a recording, packed (``.gz``) or plain.

    Raises RecordingError, naming file and line, on whatever is not as it was written.
    """
    lines = _lines(Path(path))
    header = _header(*next(lines, (f"{path}:1", None)))
    rows: dict[tuple[str, int], RecordedTrial] = {}
    places: dict[tuple[str, int], str] = {}
    for where, data in lines:
        row = _decoded(RecordedTrial, where, data)
        key = (row.case, row.attempt)
        if row.attempt < 1:
            message = f"{where}: attempts are counted from 1, this one is {row.attempt}"
            raise RecordingError(message)
        if key in rows:
            message = f"{where}: case {row.case!r} attempt {row.attempt} stands already at {places[key]}; keep one"
            raise RecordingError(message)
        rows[key], places[key] = row, where
    return Recording(header=header, rows=rows)


def _header(where: str, data: object) -> RecordingHeader:
    schema = data.get("schema") if isinstance(data, Mapping) else None
    if schema != RECORDING_SCHEMA:
        message = (
            f"{where}: the first line of a recording is its header, with the schema {RECORDING_SCHEMA!r}, "
            f"not {schema!r:.80}; make one with --agent-eval-record"
        )
        raise RecordingError(message)
    return _decoded(RecordingHeader, where, data)


def _decoded(kind: type[_Row], where: str, data: object) -> _Row:
    try:
        return decode(kind, data, where=where)
    except InvalidValue as error:
        raise RecordingError(str(error)) from error


def _lines(path: Path) -> Iterator[tuple[str, object]]:
    """Each line's place (file:line) and its JSON."""
    place = f"{path}:1"
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            stream, left, number = cast(BinaryIO, file), _LONGEST_RECORDING, 1
            while line := stream.readline(left + 1):
                left -= len(line)
                yield place, _parsed(place, line, left)
                number += 1
                place = f"{path}:{number}"
    except (OSError, EOFError, zlib.error) as error:
        message = f"{place}: the recording cannot be read, or is cut off: {error}; record it anew"
        raise RecordingError(message) from error


def _parsed(place: str, line: bytes, left: int) -> object:
    if left < 0:
        message = f"{place}: the recording is longer than {_LONGEST_RECORDING // 2**20} MiB; split it"
        raise RecordingError(message)
    try:
        return parse(line.decode())
    except (InvalidValue, UnicodeDecodeError) as error:
        torn = "" if line.endswith(b"\n") else "; the last line is cut off: record it anew, or take it out"
        message = f"{place}: {error}{torn}"
        raise RecordingError(message) from error
