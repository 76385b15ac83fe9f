"""Answers kept for later runs: a file of lines an agent, in which whatever is not as it was written is not there."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

from pytest_agenteval.errors import IntegrityError, InvalidValue
from pytest_agenteval.model.codec import decode, encode
from pytest_agenteval.model.jsonvalue import parse
from pytest_agenteval.model.recording import RecordedTrial
from pytest_agenteval.store.files import open_to_append, safe_name, write_whole
from pytest_agenteval.store.redaction import SafeTrial

_LINES: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_LONGEST_FILE: Final = 256 * 2**20
"""Bytes; of a longer one the rest is not read."""


class Cache:
    """Keeps what agents did, in ``FOLDER/FINGERPRINT.jsonl``; a line has its digest, its key, and a recorded trial.

    Each line is one write to the end of an open file, so that several processes may write at once. Nothing here fails
    a run: what cannot be read is counted in ``n_unsound`` and as good as not there, and what cannot be written is
    told in ``refusal``. From any thread.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._lines: dict[str, dict[bytes, bytes]] = {}
        self._handles: dict[str, int] = {}
        self.n_unsound = 0
        self.refusal = ""

    def get(self, agent: str, key: str) -> RecordedTrial | None:
        """What was kept of that agent by that key, or None."""
        with self._lock:
            line = self._read(agent).get(key.encode())
        if line is None:
            return None
        with suppress(InvalidValue, UnicodeDecodeError):
            return decode(RecordedTrial, parse(line.decode()))
        self.n_unsound += 1
        return None

    def put(self, agent: str, key: str, trial: SafeTrial) -> None:
        """Keep what the trial says of its agent; of two by one key the later counts."""
        kept = RecordedTrial(case=trial.case.id, attempt=trial.attempt, trajectory=trial.trajectory, at=trial.at)
        content = f"{key} {_LINES.encode(encode(kept))}".encode()
        with self._lock:
            try:
                write_whole(self._opened(agent), b"%s %s\n" % (_digest(content), content))
            except (OSError, IntegrityError) as error:
                self.refusal = str(error)

    def close(self) -> None:
        """Nothing is kept any more."""
        with self._lock:
            for handle in self._handles.values():
                with suppress(OSError):  # a full disk may be told here at last
                    os.close(handle)
            self._handles.clear()

    def _opened(self, agent: str) -> int:
        if agent not in self._handles:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._handles[agent] = open_to_append(self._path(agent))
        return self._handles[agent]

    def _path(self, agent: str) -> Path:
        return self._folder / f"{safe_name(agent)}.jsonl"

    def _read(self, agent: str) -> dict[bytes, bytes]:
        """By key, what stands in the agent's file; parsed when it is asked for."""
        if agent not in self._lines:
            found: dict[bytes, bytes] = {}
            self._lines[agent] = found
            try:
                with self._path(agent).open("rb") as stream:
                    content = stream.read(_LONGEST_FILE)
            except FileNotFoundError:
                return found
            except OSError:
                self.n_unsound += 1
                return found
            for line in content.splitlines(keepends=True):
                self._take(line, found)
        return self._lines[agent]

    def _take(self, line: bytes, found: dict[bytes, bytes]) -> None:
        told, _, content = line.removesuffix(b"\n").partition(b" ")
        if not line.endswith(b"\n") or told != _digest(content):
            self.n_unsound += bool(line.strip())
            return
        key, _, row = content.partition(b" ")
        found[key] = row


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest()[:16].encode()
