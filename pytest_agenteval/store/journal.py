"""The journal of a run: a line for each trial called or scored, written before its item is reported."""

from __future__ import annotations

import json
import os
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any, cast

from pytest_agenteval.errors import IntegrityError, InvalidValue
from pytest_agenteval.model.codec import decode, encode
from pytest_agenteval.model.jsonvalue import parse
from pytest_agenteval.model.score import Score
from pytest_agenteval.model.trial import Trial, TrialKey
from pytest_agenteval.store.files import hold, is_held, refusals_of, safe_name, see_to_the_disk, write_whole
from pytest_agenteval.store.redaction import SafeTrial

_LINES = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


class Journal:
    """Appends the trials of one process to a new file, ``FOLDER/journal-NAME.jsonl`` (``-NAME-2`` where that is there).

    Each line is one write to an open file: it survives a killed process. The file is held while the process is there.
    All methods raise IntegrityError where the system refuses to write.
    """

    def __init__(self, folder: Path, name: str = "main") -> None:
        self._lock = threading.Lock()
        self._is_torn = False
        with refusals_of(folder / f"journal-{safe_name(name)}.jsonl", "opened"):
            folder.mkdir(parents=True, exist_ok=True)
            self.path, self._handle = _new_file(folder, safe_name(name))
            hold(self._handle)

    def called(self, trial: SafeTrial) -> None:
        """Keep a trial whose call has ended. From any thread."""
        self._append({"event": "called", "trial": encode(trial)})

    def scored(self, trial: SafeTrial, scores: Sequence[Score]) -> None:
        """Keep the scores that a trial got, which is in one of the run's journals already."""
        self._append({"event": "scored", "id": trial.id, "scores": [encode(score) for score in scores]})

    def close(self) -> None:
        """See the lines to the disk, and close the file. The journal writes nothing more."""
        with self._lock, refusals_of(self.path, "written"):
            handle, self._handle = self._handle, -1  # who is late must not write to whatever has that number next
            try:
                see_to_the_disk(handle, self.path)
            finally:
                os.close(handle)

    def _append(self, event: Mapping[str, Any]) -> None:
        line = f"{_LINES.encode(event)}\n".encode()
        # Of a line that a filling disk takes by halves, nothing may come in between; and what is torn must end.
        with self._lock, refusals_of(self.path, "written"):
            begun, self._is_torn = self._is_torn, True
            write_whole(self._handle, b"\n" + line if begun else line)
            self._is_torn = False


def _new_file(folder: Path, name: str) -> tuple[Path, int]:
    for number in count(1):
        path = folder / (f"journal-{name}-{number}.jsonl" if number > 1 else f"journal-{name}.jsonl")
        try:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
            return path, os.open(path, flags, 0o666)
        except FileExistsError:
            continue
    raise AssertionError  # there are always more numbers


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
    trials, n_torn = _read_all(folder)
    standing: dict[TrialKey, Trial] = {}
    for trial in trials.values():
        standing[trial.key] = max(standing.get(trial.key, trial), trial, key=_standing)
    # A journal is given nothing but safe trials.
    ordered = [cast("SafeTrial", standing[key]) for key in sorted(standing)]
    return JournalContent(trials=ordered, n_torn=n_torn)


def kept_trials(folder: Path) -> Mapping[str, SafeTrial]:
    """By their ids the trials that the journals of a run hold so far, whoever wrote them."""
    return cast("dict[str, SafeTrial]", _read_all(folder)[0])


def journals_of(folder: Path) -> list[Path]:
    """The journals of a run."""
    return sorted(folder.glob("journal-*.jsonl"))


def refuse_while_under_way(folder: Path, wait: float) -> None:
    """Raise IntegrityError where some process of the run is still there after ``wait`` seconds."""
    for path in journals_of(folder):
        if is_held(path, wait):
            message = (
                f"{path} is held by a process: the run is still under way. "
                "Wait until it is over; if a process of it hangs, end that, and run again"
            )
            raise IntegrityError(message)


def _read_all(folder: Path) -> tuple[dict[str, Trial], int]:
    """By id, the trials of all journals, and how many lines are none of ours.

    A run that goes on scores a trial that an earlier process wrote down, in whatever order their files are read.
    """
    trials: dict[str, Trial] = {}
    early: defaultdict[str, list[list[Score]]] = defaultdict(list)
    n_torn = 0
    for path in journals_of(folder):
        for line in _lines(path):
            try:
                _read(line, trials, early)
            except (InvalidValue, ValueError, TypeError, KeyError):
                n_torn += 1
    return trials, n_torn + sum(map(len, early.values()))


def _lines(path: Path) -> Iterator[bytes]:
    with refusals_of(path, "read"), path.open("rb") as stream:
        yield from (line for line in stream if line.strip())


def _read(line: bytes, trials: dict[str, Trial], early: defaultdict[str, list[list[Score]]]) -> None:
    """Take one line in. Raises ValueError, TypeError or KeyError for what is none of ours, or torn."""
    record = parse(line.decode())
    if not line.endswith(b"\n"):
        raise ValueError
    if record["event"] == "called":
        trial = decode(Trial, record["trial"])
        for scores in early.pop(trial.id, ()):
            trial = trial.with_scores(scores)
        trials[trial.id] = trial
    elif record["event"] == "scored":
        scores, name = [decode(Score, score) for score in record["scores"]], record["id"]
        if name in trials:
            trials[name] = trials[name].with_scores(scores)
        else:
            early[name].append(scores)
    else:
        raise ValueError


def _standing(trial: Trial) -> tuple[bool, datetime, str]:
    return bool(trial.scores), trial.at, trial.id
