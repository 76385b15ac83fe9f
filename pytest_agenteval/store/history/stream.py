"""Segments gone through trial by trial: of a million trials no two are held at once."""

from __future__ import annotations

import contextlib
import gzip
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from pytest_agenteval.errors import HistoryError
from pytest_agenteval.model.estimate import Estimate
from pytest_agenteval.model.run import FinishedRun, Run, StoredTrials
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.store.files import gzipped, refusals_of, sync_folder
from pytest_agenteval.store.history.segments import (
    ASIDE,
    aside_line,
    head_line,
    header_of,
    lines_of,
    parsed,
    segment_path,
    trial_in,
    trial_line,
)


def open_segment(path: Path) -> FinishedRun:
    """The run in a segment, whose trials are read anew each time that they are gone through.

    Raises HistoryError where the header is not sound; going through the trials raises it at the first that is not.
    """
    _, head = next(lines_of(path))
    header = header_of(parsed(head, path, 1), path)
    first, second, unneeded = (StoredTrials(_Reading(path, name)) for name in ("", *ASIDE))
    return FinishedRun(run=header.run, trials=first, second_look=second, unneeded=unneeded, estimates=header.estimates)


class _Reading:
    """Reads those trials of a segment that stand under a name, the empty one for those that count."""

    def __init__(self, path: Path, name: str) -> None:
        self._path, self._name = path, name

    def __call__(self) -> Iterator[Trial]:
        lines = lines_of(self._path)
        next(lines)
        starts = f'{{"{self._name}":'.encode() if self._name else b""
        last = ("", "", 0)
        for number, line in lines:
            if not line.startswith(starts):
                continue
            name, trial = trial_in(parsed(line, self._path, number), self._path, number)
            if name != self._name:
                continue
            if trial.key <= last:
                message = f"{self._path}:{number}: its trials are not in order. Restore it from a copy"
                raise HistoryError(message)
            last = trial.key
            yield trial


class SegmentWriter:
    """A segment that is written as its trials come, in their order; its header, known at the end, stands first.

    Beside the segment's place lies a file until then, which goes away when the writer is closed.
    """

    def __init__(self, root: Path, run: Run) -> None:
        self._run = run
        self.path = segment_path(root, run)
        self._body = self.path.with_name(f".{self.path.name[:40]}-{secrets.token_hex(6)}.part")
        with refusals_of(self.path, "written"), contextlib.ExitStack() as opened:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = opened.enter_context(self._body.open("xb"))
            packed = gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=5, mtime=0)
            self._packed = opened.enter_context(packed)
            self._opened = opened.pop_all()

    def __enter__(self) -> SegmentWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()
        self._body.unlink(missing_ok=True)

    def add(self, trial: Trial, aside: str = "") -> None:
        """Write the next trial; ``aside`` is the name of ASIDE that it stands under, if any."""
        line = aside_line(aside, trial) if aside else trial_line(trial)
        with refusals_of(self.path, "written"):
            self._packed.write(line.encode())

    def seal(self, estimates: tuple[Estimate, ...]) -> Path:
        """Put the segment in its place. Raises HistoryError where there is one already."""
        self._opened.close()
        head = gzipped(head_line(FinishedRun(run=self._run, trials=(), estimates=estimates)).encode())
        whole = self._body.with_suffix(".whole")
        with refusals_of(self.path, "written"):
            try:
                with whole.open("xb") as file, self._body.open("rb") as body:
                    file.write(head)  # compressed files may stand one behind another: together they are one
                    shutil.copyfileobj(body, file, 2**20)
                    file.flush()
                    os.fsync(file.fileno())
                os.link(whole, self.path)
            except FileExistsError:
                message = f"{self.path} exists: a run's segment is written once. Give the new run another id"
                raise HistoryError(message) from None
            finally:
                whole.unlink(missing_ok=True)
            sync_folder(self.path.parent)
        return self.path
