"""Baselines in git: a JSON file for each suite and metric, a line a case, so that a diff reads well."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pytest_agenteval.errors import BaselineError, InvalidValue
from pytest_agenteval.model.baseline import Approval, Bar, Baseline, Renewal
from pytest_agenteval.model.change import Change
from pytest_agenteval.model.codec import decode, encode, near
from pytest_agenteval.model.estimate import CaseScores, Estimate
from pytest_agenteval.model.score import MetricSpec
from pytest_agenteval.model.trajectory import AgentIdentity
from pytest_agenteval.store.audit import Audit
from pytest_agenteval.store.files import safe_name, write_atomically
from pytest_agenteval.store.strict import line_at, parse_text, read_text, refuse_links

SCHEMA: Final = "agenteval-baseline/1"
APPROVALS: Final = "approvals"
"""The folder beside the suites' own in which requests for approval lie."""

_KEYS: Final = ("schema", "suite", "spec", "bar", "estimate", "approval", "cases")
_OPTIONAL: Final = ("agent", "lineage")


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRow:
    """A case's line in a baseline file; ``answers`` are parallel to ``screen``, then ``held_back``."""

    fingerprint: str
    screen: tuple[float, ...] = ()
    held_back: tuple[float, ...] = ()
    answers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n_values = len(self.screen) + len(self.held_back)
        if not n_values:
            message = "a case of a baseline has a value"
            raise InvalidValue(message)
        if self.answers and len(self.answers) != n_values:
            message = f"{len(self.answers)} answers stand beside {n_values} values; each value has its answer"
            raise InvalidValue(message)


class Baselines:
    """The baselines in a folder. What changes one takes a Change, which the audit log gets first."""

    def __init__(self, root: Path, audit: Audit) -> None:
        self.root = root
        self._audit = audit

    def path(self, suite: str, metric: str) -> Path:
        """Where the baseline of a metric in a suite is, or would be."""
        return self.root / safe_name(suite) / f"{metric}.json"

    def read(self, suite: str, metric: str) -> Baseline | None:
        """The approved baseline, or None. Raises BaselineError, with file and line, where it is not sound."""
        path = self.path(suite, metric)
        refuse_links(path, BaselineError)
        if not path.exists():
            return None
        baseline = baseline_of(read_text(path, BaselineError), str(path))
        if (baseline.suite, baseline.metric) != (suite, metric):
            message = (
                f"{path} is the baseline of {baseline.suite}/{baseline.metric}, and stands where that of "
                f"{suite}/{metric} is due. Move it back, or restore the file from git"
            )
            raise BaselineError(message)
        return baseline

    def of_suite(self, suite: str) -> tuple[dict[str, Baseline], dict[str, str]]:
        """The suite's baselines by metric; and by metric why others cannot be read."""
        found: dict[str, Baseline] = {}
        unread: dict[str, str] = {}
        for metric in self.metrics(suite):
            try:
                baseline = self.read(suite, metric)
            except BaselineError as error:
                unread[metric] = str(error)
                continue
            if baseline is not None:
                found[metric] = baseline
        return found, unread

    def folders(self) -> list[str]:
        """The names of the suites' folders, without reading what is in them."""
        return sorted({path.parent.name for path in self.root.glob("*/*.json")} - {APPROVALS})

    def all(self) -> list[Baseline]:
        """Each baseline, by suite and metric."""
        paths = [path for path in self.root.glob("*/*.json") if path.parent.name != APPROVALS]
        found = [self._read_at(path) for path in sorted(paths)]
        return sorted(found, key=lambda baseline: (baseline.suite, baseline.metric))

    def suites(self) -> list[str]:
        """The suites that have a baseline."""
        return sorted({baseline.suite for baseline in self.all()})

    def metrics(self, suite: str) -> list[str]:
        """The metrics of which the suite has a baseline."""
        return sorted(path.stem for path in (self.root / safe_name(suite)).glob("*.json"))

    def write(self, baseline: Baseline, change: Change) -> Path:
        """Record the change in the audit log, then put the baseline in its place."""
        path = self.path(baseline.suite, baseline.metric)
        refuse_links(path, BaselineError)
        text = text_of(baseline)
        self._audit.append(change)
        write_atomically(path, text.encode("utf-8", "replace"))
        return path

    def _read_at(self, path: Path) -> Baseline:
        refuse_links(path, BaselineError)
        baseline = baseline_of(read_text(path, BaselineError), str(path))
        if path != self.path(baseline.suite, baseline.metric):
            message = (
                f"{path} is the baseline of {baseline.suite}/{baseline.metric}, which belongs at "
                f"{self.path(baseline.suite, baseline.metric)}. Move it there, or restore the file from git"
            )
            raise BaselineError(message)
        return baseline


def text_of(baseline: Baseline) -> str:
    """The text of the baseline's file: always the same for the same baseline."""
    head = {
        "schema": SCHEMA,
        "suite": baseline.suite,
        "spec": encode(baseline.spec),
        "bar": encode(baseline.bar),
        "estimate": encode(baseline.estimate),
        "approval": encode(baseline.approval),
        "agent": encode(baseline.agent),
    }
    if baseline.lineage:
        head["lineage"] = encode(baseline.lineage)
    lines = [f"  {_text(name)}: {_text(value)},\n" for name, value in head.items()]
    ids = sorted({*baseline.screen, *baseline.held_back})
    cases = ",\n".join(f"    {_text(case)}: {_text(_row(baseline, case))}" for case in ids)
    return "{\n" + "".join(lines) + '  "cases": {\n' + f"{cases}\n" + "  }\n}\n"


def baseline_of(text: str, where: str) -> Baseline:
    """The baseline in a file's text. Raises BaselineError with ``where`` and the line."""
    data = parse_text(text, where, BaselineError)
    _refuse_other_shape(data, where)
    rows = {case: _case_row(text, where, case, row) for case, row in data["cases"].items()}
    try:
        return Baseline(
            suite=data["suite"],
            spec=decode(MetricSpec, data["spec"]),
            bar=decode(Bar, data["bar"]),
            estimate=decode(Estimate, data["estimate"]),
            approval=decode(Approval, data["approval"]),
            agent=decode(AgentIdentity, data.get("agent", {})),
            lineage=tuple(decode(Renewal, one) for one in data.get("lineage", [])),
            screen={case: screen for case, row in rows.items() if (screen := _screen(row))},
            held_back={case: held_back for case, row in rows.items() if (held_back := _held_back(row))},
        )
    except (InvalidValue, OverflowError) as error:
        message = f"{where}: {error}. Correct the file, or restore it from git"
        raise BaselineError(message) from error


def _refuse_other_shape(data: object, where: str) -> None:
    """Refuse what is no baseline file of this version, with the next step."""
    schema = data.get("schema") if isinstance(data, Mapping) else None
    if schema != SCHEMA:
        is_ours = str(schema).startswith(SCHEMA.rpartition("/")[0])
        step = "Upgrade pytest-agenteval" if is_ours else "Make one with: pytest-agenteval baseline approve"
        message = f"{where}: its schema is {schema!r:.80}, and {SCHEMA!r} is what can be read. {step}"
        raise BaselineError(message)
    assert isinstance(data, Mapping)
    wrong = [f"unknown key {key!r}{near(key, _KEYS)}" for key in data if key not in (*_KEYS, *_OPTIONAL)]
    wrong += [f"the key {key!r} is missing" for key in _KEYS if key not in data]
    if not wrong and not (isinstance(data["cases"], Mapping) and isinstance(data["suite"], str)):
        wrong = ["'cases' is an object by case id, and 'suite' a text"]
    if wrong:
        message = f"{where}: {wrong[0]}. Correct the file, or restore it from git"
        raise BaselineError(message)


def _case_row(text: str, where: str, case: str, row: object) -> CaseRow:
    try:
        return decode(CaseRow, row)
    except (InvalidValue, OverflowError) as error:
        line = line_at(text, max(text.find(f"\n    {_text(case)}:") + 1, 0))
        message = f"{where}:{line}: case {case!r}: {error}. Correct the file, or restore it from git"
        raise BaselineError(message) from error


def _screen(row: CaseRow) -> CaseScores | None:
    n = len(row.screen)
    return CaseScores(fingerprint=row.fingerprint, values=row.screen, answers=row.answers[:n]) if n else None


def _held_back(row: CaseRow) -> CaseScores | None:
    n = len(row.screen)
    if not row.held_back:
        return None
    return CaseScores(fingerprint=row.fingerprint, values=row.held_back, answers=row.answers[n:])


def _row(baseline: Baseline, case: str) -> dict[str, Any]:
    screen, held_back = baseline.screen.get(case), baseline.held_back.get(case)
    parts = [part for part in (screen, held_back) if part]
    if len({part.fingerprint for part in parts}) > 1:
        message = f"case {case!r} has two fingerprints in one baseline of {baseline.suite}/{baseline.metric}"
        raise BaselineError(message)
    row = CaseRow(
        fingerprint=parts[0].fingerprint,
        screen=screen.values if screen else (),
        held_back=held_back.values if held_back else (),
        answers=tuple(answer for part in parts for answer in part.answers),
    )
    whole = {name: list(map(_short, getattr(row, name))) for name in ("screen", "held_back")}
    return {name: value for name, value in (encode(row) | whole).items() if value}


def _short(value: float) -> float:
    """0 and 1 without a point: a file of verdicts is a third smaller."""
    return int(value) if value in (0.0, 1.0) else value


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)
