"""A production failure becomes a case: from a trial, or a line of a log, to an entry of a case file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from pytest_agenteval.app.registry import Registry
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.errors import CaseError, InvalidValue
from pytest_agenteval.model.case import Case
from pytest_agenteval.model.change import Change
from pytest_agenteval.model.codec import encode
from pytest_agenteval.model.jsonvalue import JSON, canonical, digest, parse
from pytest_agenteval.store.casefiles import append_case, read_cases, refuse_near_misses
from pytest_agenteval.store.files import safe_name
from pytest_agenteval.store.redaction import Redaction

_LINE = re.compile(r"(?P<file>.+\.jsonl):(?P<line>[1-9]\d*)\Z")
_INPUT_KEYS = ("input", "question", "prompt", "request")
_LISTS = frozenset({"calls", "contains", "excludes", "forbidden_tools"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """What is captured from where, and what would have been right. ``source`` is a trial's id or FILE.jsonl:LINE."""

    source: str
    failure_mode: str
    expect: Mapping[str, JSON]
    reason: str
    by: str
    at: datetime
    suite: str | None = None
    case_id: str | None = None
    file: str | None = None
    tags: tuple[str, ...] = ()


def capture(workspace: Workspace, registry: Registry, wanted: Capture) -> tuple[Case, str]:
    """Write the case (redacted, with its provenance, never twice); gives it and its place.

    Raises CaseError where the source cannot be found or read, or the case is there already.
    """
    found, expect = _LINE.match(wanted.source), wanted.expect
    if found:
        suite, given, provenance = _from_line(Path(found["file"]), int(found["line"]))
    else:
        trial = workspace.history.find_trial(wanted.source)
        suite, given, expect = trial.case.suite.partition("[")[0], trial.case.input, expect or trial.case.expect
        provenance = {"trial": trial.id, "case": trial.case.id, "at": encode(trial.at)}
    suite = wanted.suite or suite
    if not suite:
        message = f"{wanted.source} does not say which suite it belongs to: name it by --suite"
        raise CaseError(message)
    redaction = Redaction(registry.redactors())
    case = Case(
        id=wanted.case_id or f"{wanted.failure_mode.lower()}-{digest(given, length=8)}",
        suite=suite,
        input=redaction.value(given),
        expect=_redacted(redaction, expect),
        tags=wanted.tags,
        failure_mode=wanted.failure_mode,
        provenance=_redacted(redaction, {**provenance, "captured_at": encode(wanted.at), "reason": wanted.reason}),
    )
    path = _file_for(workspace.settings.path("suite_folder") / safe_name(suite) / "cases", wanted.file)
    _refuse_known(workspace.case_files(suite), case)
    change = Change(
        at=wanted.at,
        actor=wanted.by,
        action="case.capture",
        subject=f"{suite}/{case.id}",
        reason=wanted.reason,
        after={"failure_mode": wanted.failure_mode, "fingerprint": case.fingerprint},
    )
    return case, append_case(path, case, change, workspace.audit)


def parse_expectations(words: Sequence[str]) -> dict[str, JSON]:
    """``KEY=VALUE`` words as expectations; a value that is JSON is taken as that, else as text.

    >>> parse_expectations(["calls=lookup_order,send_money", 'number={"value": 3}', "contains=sorry"])
    {'calls': ['lookup_order', 'send_money'], 'number': {'value': 3}, 'contains': ['sorry']}
    """
    found: dict[str, JSON] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals or not key:
            message = f"--expect {word!r} is not KEY=VALUE, as in --expect calls=lookup_order"
            raise CaseError(message)
        if key in found:
            message = f"--expect {key}=… is given twice; give it once, several values as {key}=first,second"
            raise CaseError(message)
        found[key] = _value(key, text)
    try:
        refuse_near_misses(found)
    except InvalidValue as error:
        message = f"--expect: {error}"
        raise CaseError(message) from error
    return found


def _value(key: str, text: str) -> JSON:
    try:
        value: Any = parse(text)
    except InvalidValue:
        value = text
    if key not in _LISTS or isinstance(value, list):
        return value  # type: ignore[no-any-return]  # JSON as it was read
    if isinstance(value, Mapping) or text.startswith('"'):
        return [value]  # one entry, in JSON
    return [part.strip() for part in text.split(",") if part.strip()]


def _redacted(redaction: Redaction, values: Mapping[str, Any]) -> dict[str, JSON]:
    return dict(cast("Mapping[str, JSON]", redaction.value(values)))  # keys are redacted, too


def _from_line(file: Path, line: int) -> tuple[str, JSON, dict[str, Any]]:
    """(suite or '', input, provenance) of one line of a log of JSON lines."""
    place = f"{file}:{line}"
    try:
        with file.open(encoding="utf-8-sig", errors="replace") as lines:
            text = next((text for number, text in enumerate(lines, 1) if number == line), None)
    except OSError as error:
        message = f"{place} cannot be read: {error.strerror}. Name a file of JSON lines and one of its lines"
        raise CaseError(message) from error
    if text is None:
        message = f"{place}: the file has no such line"
        raise CaseError(message)
    try:
        row = parse(text)
    except InvalidValue as error:
        message = f"{place}: {error}"
        raise CaseError(message) from error
    if isinstance(row, Mapping) and isinstance(row.get("trial"), Mapping):
        row = row["trial"]  # a line of a journal
    case = row.get("case") if isinstance(row, Mapping) else None
    holder = case if isinstance(case, Mapping) else row
    key = next((key for key in _INPUT_KEYS if isinstance(holder, Mapping) and key in holder), None)
    if key is None:
        message = f"{place} has no input: the line needs one of the keys {', '.join(_INPUT_KEYS)}"
        raise CaseError(message)
    # The digest, and not the folder, which is of no use elsewhere.
    provenance = {"file": file.name, "line": line, "digest": digest(canonical(row))}
    return str(holder.get("suite", "")).partition("[")[0], holder[key], provenance


def _file_for(folder: Path, named: str | None) -> Path:
    """The case file that the suite's tests already read: the named one, or the only one there is."""
    files = sorted(folder.glob("*.jsonl"))
    if named is None and len(files) == 1:
        return files[0]
    if named is not None and folder / named in files:
        return folder / named
    if not files:
        message = f"{folder} has no case file (.jsonl) that a test reads: make one, and name it in load_cases(…)"
        raise CaseError(message)
    names = ", ".join(file.name for file in files)
    message = f"{folder} has no {named!r}, but {names}" if named else f"{folder} has several case files: {names}"
    message += f". Say which by --file {files[0].name}"
    raise CaseError(message)


def _refuse_known(files: Sequence[Path], case: Case) -> None:
    """A case with the same input in any case file of the suite would be the same failure twice."""
    for file in files:
        for placed in read_cases(file, case.suite):
            if placed.case.id == case.id or digest(placed.case.input) == digest(case.input):
                message = f"{placed.place} already has this case ({placed.case.id}); edit that entry instead"
                raise CaseError(message)
