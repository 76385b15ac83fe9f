"""The journal of a run: a line for each trial called or scored, written before its item is reported."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from pytest_agenteval.errors import InvalidValue
from pytest_agenteval.model.codec import decode, encode
from pytest_agenteval.model.jsonvalue import parse
from pytest_agenteval.model.score import Score
from pytest_agenteval.model.trial import Trial, TrialKey
from pytest_agenteval.store.files import open_to_append, refusals_of, safe_name, write_whole
from pytest_agenteval.store.redaction import SafeTrial

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
        """Keep a trial whose call has ended. From any thread."""
        self._append({"event": "called", "trial": encode(trial)})

    def scored(self, trial: SafeTrial, scores: Sequence[Score]) -> None:
        """Keep the scores that a trial got, which is in the journal already."""
        self._append({"event": "scored", "id": trial.id, "scores": [encode(score) for score in scores]})

    def close(self) -> None:
        """See the lines to the disk, and close the file. The journal writes nothing more."""
        with refusals_of(self.path, "written"):
            os.fsync(self._handle)
            os.close(self._handle)

    def _append(self, event: Mapping[str, Any]) -> None:
        line = _LINES.encode(event)
        with refusals_of(self.path, "written"):
            write_whole(self._handle, f"{line}\n".encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalContent:
    """The trials of all journals of a run in canonical order, and how many lines could not be read."""

    trials: list[SafeTrial]
    n_torn: int


def read_journals(folder: Path) -> JournalContent:
    """What the journals of a run hold, whatever their processes came to.

    Scores are joined to the trial that they are of; torn and bad lines are counted and hide nothing. Of two calls of
    one attempt the one that was scored stands, and then the later.
    """
    trials: dict[str, Trial] = {}
    n_torn = 0
    for path in sorted(folder.glob("journal-*.jsonl")):
        for line in _lines(path):
            try:
                _read(line, trials)
            except (InvalidValue, ValueError, TypeError, KeyError):
                n_torn += 1
    standing: dict[TrialKey, Trial] = {}
    for trial in trials.values():
        standing[trial.key] = max(standing.get(trial.key, trial), trial, key=_standing)
    # A journal is given nothing but safe trials.
    ordered = [cast("SafeTrial", standing[key]) for key in sorted(standing)]
    return JournalContent(trials=ordered, n_torn=n_torn)


def _lines(path: Path) -> Iterator[bytes]:
    with refusals_of(path, "read"), path.open("rb") as stream:
        yield from (line for line in stream if line.strip())


def _read(line: bytes, trials: dict[str, Trial]) -> None:
    """Take one line in. Raises ValueError, TypeError or KeyError for what is none of ours, or torn."""
    record = parse(line.decode())
    if not line.endswith(b"\n"):
        raise ValueError
    if record["event"] == "called":
        trial = decode(Trial, record["trial"])
        trials[trial.id] = trial
    elif record["event"] == "scored":
        scores = [decode(Score, score) for score in record["scores"]]
        trials[record["id"]] = trials[record["id"]].with_scores(scores)
    else:
        raise ValueError


def _standing(trial: Trial) -> tuple[bool, datetime, str]:
    return bool(trial.scores), trial.at, trial.id
