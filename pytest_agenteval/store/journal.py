"""The journal of a run: a line for each trial called or scored, written before its item is reported."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from pytest_agenteval.errors import InvalidValue
from pytest_agenteval.model.codec import decode, encode
from pytest_agenteval.model.jsonvalue import parse
from pytest_agenteval.model.trial import Trial, TrialKey
from pytest_agenteval.store.files import open_to_append, refusals_of, safe_name, write_whole
from pytest_agenteval.store.redaction import SafeTrial

_EVENTS = ("called", "scored")
_LINES = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


class Journal:
    """Appends the trials of one process to ``FOLDER/journal-NAME.jsonl``.

    Each line is one write to an open file: it survives a killed process. All methods raise IntegrityError
    where the system refuses to write.
    """

    def __init__(self, folder: Path, name: str = "main") -> None:
        self.path = folder / f"journal-{safe_name(name)}.jsonl"
        with refusals_of(self.path, "opened"):
            folder.mkdir(parents=True, exist_ok=True)
            self._handle = open_to_append(self.path)

    def called(self, trial: SafeTrial) -> None:
        """Keep a trial whose call has ended."""
        self._append("called", trial)

    def scored(self, trial: SafeTrial) -> None:
        """Keep a trial with the scores that it got."""
        self._append("scored", trial)

    def close(self) -> None:
        """See the lines to the disk, and close the file. The journal writes nothing more."""
        with refusals_of(self.path, "written"):
            os.fsync(self._handle)
            os.close(self._handle)

    def _append(self, event: Literal["called", "scored"], trial: Trial) -> None:
        line = _LINES.encode({"event": event, "trial": encode(trial)})
        with refusals_of(self.path, "written"):
            write_whole(self._handle, f"{line}\n".encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalContent:
    """The trials of all journals of a run in canonical order, and how many lines could not be read."""

    trials: list[SafeTrial]
    n_torn: int


def read_journals(folder: Path) -> JournalContent:
    """What the journals of a run hold, whatever their processes came to.

    Lines of one trial are joined, with all its scores; torn and bad lines are counted and hide nothing.
    """
    trials: dict[TrialKey, Trial] = {}
    n_torn = 0
    for path in sorted(folder.glob("journal-*.jsonl")):
        for line in _lines(path):
            trial = _trial_in(line)
            if trial is None:
                n_torn += 1
                continue
            known = trials.get(trial.key)
            trials[trial.key] = trial if known is None else _joined(known, trial)
    # A journal is given nothing but safe trials.
    ordered = [cast("SafeTrial", trials[key]) for key in sorted(trials)]
    return JournalContent(trials=ordered, n_torn=n_torn)


def _lines(path: Path) -> Iterator[bytes]:
    with refusals_of(path, "read"), path.open("rb") as stream:
        yield from (line for line in stream if line.strip())


def _trial_in(line: bytes) -> Trial | None:
    try:
        record = parse(line.decode())
        if line.endswith(b"\n") and record["event"] in _EVENTS:
            return decode(Trial, record["trial"])
    except (InvalidValue, ValueError, TypeError, KeyError):
        pass
    return None


def _joined(known: Trial, other: Trial) -> Trial:
    """One trial of two lines: the same trial with all scores; of two calls, the one that was scored last."""
    if known.id == other.id:
        return known.with_scores(other.scores)
    return max(known, other, key=lambda trial: (bool(trial.scores), trial.at, trial.id))
