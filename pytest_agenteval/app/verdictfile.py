"""verdict.json: what the last run said, for CI and for the next command."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

from pytest_agenteval.app.judging import Cause, Judged
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.errors import AgentEvalError, IntegrityError, InvalidValue
from pytest_agenteval.model.codec import decode, encode
from pytest_agenteval.model.estimate import Estimate
from pytest_agenteval.model.jsonvalue import canonical, digest, parse
from pytest_agenteval.model.loosening import Loosening
from pytest_agenteval.model.run import FinishedRun, Mode, Rounds
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.model.verdict import Verdict
from pytest_agenteval.pipeline import exits
from pytest_agenteval.pipeline.looks import GateMode
from pytest_agenteval.store.audit import AuditRecord
from pytest_agenteval.store.files import write_atomically

VERDICT_SCHEMA: Final = "agenteval-verdict/1"
_DIGEST: Final = "digest"

# Made when the module is read: an agent that patches json.dumps in this process does not write the verdict.
_TEXT = json.JSONEncoder(indent=1, ensure_ascii=False, allow_nan=False, sort_keys=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditHead:
    """How long the audit log was, and the hash of its last record: no later log may lack it."""

    records: int
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictDocument:
    """What verdict.json holds, and beside it the digest of it all.

    ``cases`` and ``trials`` are how many were run, ``scores_digest`` is made of every score behind the
    verdicts, ``baselines`` of the files that the run was compared with, by ``suite/metric``. ``base`` is the
    commit whose bars it was held to, if any, and ``loosenings`` what was looser here without leave. ``rounds`` has,
    for suites whose repeats are adaptive, how many attempts counted and how many calls were saved. ``cached`` is how
    many trials were kept from earlier runs.
    """

    schema: Literal["agenteval-verdict/1"]
    run: str
    started: datetime
    ended: datetime
    mode: Mode
    gate: GateMode
    exit_code: int
    causes: tuple[Cause, ...]
    partial: tuple[str, ...]
    cases: int
    trials: int
    scores_digest: str
    baselines: Mapping[str, str]
    audit: AuditHead
    versions: Mapping[str, str]
    verdicts: tuple[Verdict, ...]
    estimates: tuple[Estimate, ...]
    not_evaluated: Mapping[str, Mapping[str, str]]
    base: str = ""
    loosenings: tuple[Loosening, ...] = ()
    rounds: Mapping[str, Rounds] = field(default_factory=dict)
    cached: int = 0


def verdict_document(judged: Judged, exit_code: int, gate: GateMode, workspace: Workspace) -> VerdictDocument:
    """The document: exit code, causes, verdicts, every estimate, and digests of what they rest on."""
    run, trials = judged.finished.run, judged.finished.trials
    return VerdictDocument(
        schema=VERDICT_SCHEMA,
        run=run.id,
        started=run.started,
        ended=run.ended or run.started,
        mode=run.mode,
        gate=gate,
        exit_code=exit_code,
        causes=judged.causes,
        partial=run.partial,
        cases=n_cases(trials),
        trials=len(trials),
        scores_digest=scores_digest(judged.finished),
        baselines=baseline_digests(judged.finished.suites(), workspace),
        audit=_audit_head_now(workspace),
        versions=run.versions,
        verdicts=judged.verdicts,
        estimates=judged.finished.estimates,
        not_evaluated={name: reasons for name, reasons in judged.not_evaluated.items() if reasons},
        base=judged.base,
        loosenings=judged.loosenings,
        rounds=run.rounds,
        cached=sum(run.cached.values()),
    )


def write_verdict(judged: Judged, exit_code: int, gate: GateMode, workspace: Workspace) -> None:
    """Write the document. Raises IntegrityError where it cannot be written."""
    document = encode(verdict_document(judged, exit_code, gate, workspace))
    text = _TEXT.encode({**document, _DIGEST: digest_of(document)}) + "\n"
    write_atomically(workspace.verdict_file, text.encode("utf-8", "replace"))


def conclude(judged: Judged, gate: GateMode, workspace: Workspace) -> Judged:
    """Write the verdict of a run that is over; an audit log or a verdict that cannot stand is one more cause."""
    judged = with_audit_looked_at(judged, workspace)
    try:
        write_verdict(judged, judged.code, gate, workspace)
    except AgentEvalError as error:
        judged = replace(judged, causes=(*judged.causes, Cause(code=exits.INTEGRITY, text=str(error))))
    return judged


def read_verdict(path: Path) -> VerdictDocument:
    """The document in a file.

    Raises IntegrityError where there is none, where it is of another schema, or where it is not as it was written.
    """
    try:
        row = parse(path.read_bytes().decode("utf-8"))
    except FileNotFoundError as error:
        message = f"there is no {path}: no run has come to its end. Run pytest --agent-eval"
        raise IntegrityError(message) from error
    except (OSError, UnicodeDecodeError, InvalidValue) as error:
        raise _unsound(path, f"it cannot be read ({error})") from error
    schema = row.get("schema") if isinstance(row, dict) else None
    if schema != VERDICT_SCHEMA:
        raise _unsound(path, f"its schema is {schema!r:.80}, and {VERDICT_SCHEMA!r} is what can be read")
    if row.pop(_DIGEST, None) != digest_of(row):
        raise _unsound(path, "it is not as it was written: its digest does not fit what it says")
    try:
        return decode(VerdictDocument, row)
    except InvalidValue as error:
        raise _unsound(path, str(error)) from error


def digest_of(document: Mapping[str, Any]) -> str:
    """SHA-256 over the document's canonical text, its digest left out."""
    return digest(document, length=64)


def scores_digest(finished: FinishedRun) -> str:
    """SHA-256 over all that the verdicts can be made of again, trial by trial in canonical order.

    It is how each metric is declared, and of each trial what the case asked, its tags, and every score.
    """
    run = finished.run
    found = hashlib.sha256(canonical([encode(run.specs), encode(run.rounds)]).encode("utf-8", "replace"))
    for trial in sorted([*finished.trials, *finished.second_look], key=lambda trial: trial.key):
        values = [[score.metric, score.metric_version, score.value] for score in trial.scores]
        told = [*trial.key, trial.case_fingerprint, list(trial.case.tags), trial.answer_digest, values]
        found.update(canonical(told).encode("utf-8", "replace"))
    return found.hexdigest()


def n_cases(trials: Iterable[Trial]) -> int:
    """How many cases the trials are of."""
    return len({(trial.case.suite, trial.case.id) for trial in trials})


def baseline_digests(suites: Iterable[str], workspace: Workspace) -> dict[str, str]:
    """By ``suite/metric`` the SHA-256 of the file of each baseline of these suites; empty for an unreadable one."""
    return {
        f"{suite}/{metric}": _sha256_of_file(workspace.baselines.path(suite, metric))
        for suite in suites
        for metric in workspace.baselines.metrics(suite)
    }


def audit_head(records: Sequence[AuditRecord]) -> AuditHead:
    """How many records, and the hash of the last."""
    return AuditHead(records=len(records), hash=records[-1].hash if records else "")


def with_audit_looked_at(judged: Judged, workspace: Workspace) -> Judged:
    """The same, with one more cause where the audit log does not verify."""
    try:
        workspace.audit.records()
    except IntegrityError as error:
        cause = Cause(code=exits.INTEGRITY, text=str(error))
        return judged if cause in judged.causes else replace(judged, causes=(*judged.causes, cause))
    return judged


def _audit_head_now(workspace: Workspace) -> AuditHead:
    """Of a log that does not verify none: a cause of the run tells it."""
    try:
        return audit_head(workspace.audit.records())
    except IntegrityError:
        return audit_head([])


def _unsound(path: Path, why: str) -> IntegrityError:
    message = f"{path} is no verdict to rely on: {why}. Run pytest --agent-eval again"
    return IntegrityError(message)


def _sha256_of_file(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""  # the gate has told it: exit 4
