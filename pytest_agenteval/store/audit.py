"""The audit log: changes in a chain of digests, a line each, appended and never altered."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from pytest_agenteval.errors import IntegrityError, InvalidValue
from pytest_agenteval.model.change import Change
from pytest_agenteval.model.codec import decode, encode
from pytest_agenteval.model.jsonvalue import JSON, canonical, parse
from pytest_agenteval.store.files import append_line, exclusive, refusals_of

_PLACE_IN_CHAIN = ("seq", "previous", "hash")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """A change at its place in the chain.

    ``seq`` counts from 1. ``previous`` is the hash of the record before, empty for the first. ``hash`` is
    the SHA-256 of the canonical JSON of the whole record without it.
    """

    seq: int
    previous: str
    hash: str
    change: Change


class Audit:
    """The audit log at a path."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, change: Change) -> AuditRecord:
        """Add a change, under the log's lock.

        Raises IntegrityError where the log is broken (nothing is then added), held, or cannot be written.
        """
        with exclusive(self.path):
            records = self.records()
            before = records[-1] if records else None
            seq, previous = (before.seq + 1, before.hash) if before else (1, "")
            record = AuditRecord(seq=seq, previous=previous, hash=_digest(seq, previous, change), change=change)
            append_line(self.path, _line(record))
        return record

    def records(self) -> list[AuditRecord]:
        """All records, the oldest first.

        Raises IntegrityError, with the line, at the first that is torn, altered, or out of the chain.
        """
        if not self.path.exists():
            return []
        with refusals_of(self.path, "read"):
            *lines, rest = self.path.read_bytes().split(b"\n")
        if rest:
            raise self._broken(len(lines) + 1, "the last line is torn, as by a crash or a full disk")
        records: list[AuditRecord] = []
        for number, line in enumerate(lines, start=1):
            records.append(self._record(number, line, records[-1].hash if records else ""))
        return records

    def _record(self, number: int, line: bytes, previous: str) -> AuditRecord:
        try:
            text = line.decode()
            row = parse(text)
            place = {name: row.pop(name) for name in _PLACE_IN_CHAIN}
            record = AuditRecord(**place, change=decode(Change, row))
        except (InvalidValue, ValueError, TypeError, AttributeError, KeyError) as error:
            raise self._broken(number, f"not a record of a change ({error})") from error
        if record.hash != _digest(record.seq, record.previous, record.change):
            raise self._broken(number, "its text was altered after it was written")
        if (record.seq, record.previous) != (number, previous):
            raise self._broken(number, "it does not follow the one before: a record was taken out, put in or moved")
        if text != _line(record):
            raise self._broken(number, "its bytes were rewritten (line ends? write '*.jsonl -text' in .gitattributes)")
        return record

    def _broken(self, number: int, why: str) -> IntegrityError:
        message = (
            f"{self.path}:{number}: the audit log does not verify: {why}. "
            "Nothing is added to it; restore the file from git, and see who changed it. Where two branches that each "
            "added to it were merged, take the log and the baselines of the main branch, and approve again: "
            "git checkout origin/main -- audit baselines"
        )
        return IntegrityError(message)


def _row(seq: int, previous: str, change: Change) -> dict[str, JSON]:
    return {**encode(change), "seq": seq, "previous": previous}


def _digest(seq: int, previous: str, change: Change) -> str:
    return hashlib.sha256(canonical(_row(seq, previous, change)).encode("utf-8", "replace")).hexdigest()


def _line(record: AuditRecord) -> str:
    return canonical({**_row(record.seq, record.previous, record.change), "hash": record.hash})
