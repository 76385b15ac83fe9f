"""Quarantined cases in git: a JSON file for each suite, a line a case, so that a diff reads well."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from pytest_agenteval.errors import InvalidValue, QuarantineError
from pytest_agenteval.model.change import Change
from pytest_agenteval.model.codec import decode, encode, near
from pytest_agenteval.model.quarantine import QuarantinedCase
from pytest_agenteval.store.audit import Audit
from pytest_agenteval.store.files import safe_name, write_atomically
from pytest_agenteval.store.strict import line_at, parse_text, read_text, refuse_links

SCHEMA: Final = "agenteval-quarantine/1"
_KEYS: Final = ("schema", "suite", "cases")


class Quarantines:
    """The quarantined cases in a folder. What changes a file takes a Change, which the audit log gets first."""

    def __init__(self, root: Path, audit: Audit) -> None:
        self.root = root
        self._audit = audit

    def path(self, suite: str) -> Path:
        """Where the quarantined cases of a suite stand, or would stand."""
        return self.root / f"{safe_name(suite)}.json"

    def read(self, suite: str) -> tuple[QuarantinedCase, ...]:
        """The suite's quarantined cases, expired ones too. Raises QuarantineError where the file is not sound."""
        path = self.path(suite)
        refuse_links(path, QuarantineError)
        if not path.exists():
            return ()
        found, entries = read_quarantine(read_text(path, QuarantineError), str(path))
        if found != suite:
            message = (
                f"{path} is the quarantine of {found}, and stands where that of {suite} is due. "
                f"Move it back, or restore the file from git"
            )
            raise QuarantineError(message)
        return entries

    def all(self) -> dict[str, tuple[QuarantinedCase, ...]]:
        """The quarantined cases by suite."""
        found = {}
        for path in sorted(self.root.glob("*.json")):
            refuse_links(path, QuarantineError)
            suite, entries = read_quarantine(read_text(path, QuarantineError), str(path))
            found[suite] = entries
        return dict(sorted(found.items()))

    def write(self, suite: str, entries: Iterable[QuarantinedCase], change: Change) -> Path:
        """Record the change in the audit log, then put the suite's quarantined cases in their place."""
        path = self.path(suite)
        refuse_links(path, QuarantineError)
        text = text_of(suite, entries)
        self._audit.append(change)
        write_atomically(path, text.encode("utf-8", "replace"))
        return path


def text_of(suite: str, entries: Iterable[QuarantinedCase]) -> str:
    """The text of a suite's file: always the same for the same cases."""
    rows = {entry.case: encode(entry) for entry in entries}
    lines = ",\n".join(f"    {_text(case)}: {_text(_without_case(rows[case]))}" for case in sorted(rows))
    cases = f"{{\n{lines}\n  }}" if lines else "{}"
    return f'{{\n  "schema": {_text(SCHEMA)},\n  "suite": {_text(suite)},\n  "cases": {cases}\n}}\n'


def read_quarantine(text: str, where: str) -> tuple[str, tuple[QuarantinedCase, ...]]:
    """The suite and its quarantined cases in a file's text, wherever that comes from, as from another commit.

    Raises QuarantineError with ``where`` and the line.
    """
    data = parse_text(text, where, QuarantineError)
    _refuse_other_shape(data, where)
    entries = tuple(_entry(text, where, case, row) for case, row in sorted(data["cases"].items()))
    return data["suite"], entries


def _refuse_other_shape(data: object, where: str) -> None:
    schema = data.get("schema") if isinstance(data, Mapping) else None
    if schema != SCHEMA:
        is_ours = str(schema).startswith(SCHEMA.rpartition("/")[0])
        step = "Upgrade pytest-agenteval" if is_ours else "Make one with: pytest-agenteval quarantine add"
        message = f"{where}: its schema is {schema!r:.80}, and {SCHEMA!r} is what can be read. {step}"
        raise QuarantineError(message)
    assert isinstance(data, Mapping)
    wrong = [f"unknown key {key!r}{near(key, _KEYS)}" for key in data if key not in _KEYS]
    wrong += [f"the key {key!r} is missing" for key in _KEYS if key not in data]
    if not wrong and not (isinstance(data["cases"], Mapping) and isinstance(data["suite"], str)):
        wrong = ["'cases' is an object by case id, and 'suite' a text"]
    if wrong:
        message = f"{where}: {wrong[0]}. Correct the file, or restore it from git"
        raise QuarantineError(message)


def _entry(text: str, where: str, case: str, row: object) -> QuarantinedCase:
    try:
        if isinstance(row, Mapping) and "case" in row:
            message = "unknown key 'case': the id stands before the colon"
            raise InvalidValue(message)
        return decode(QuarantinedCase, {**row, "case": case} if isinstance(row, Mapping) else row)
    except (InvalidValue, OverflowError) as error:
        line = line_at(text, max(text.find(f"\n    {_text(case)}:") + 1, 0))
        step = "Take the line out, and quarantine the case by: pytest-agenteval quarantine add"
        message = f"{where}:{line}: case {case!r}: {error}. {step}"
        raise QuarantineError(message) from error


def _without_case(row: Mapping[str, Any]) -> dict[str, Any]:
    values = [int(value) if value in (0.0, 1.0) else value for value in row["values"]]
    return {name: value for name, value in row.items() if name != "case"} | {"values": values}


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)
