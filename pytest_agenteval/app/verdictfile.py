"""verdict.json: what the last run said, for CI and for the next command."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from pytest_agenteval.app.judging import Judged
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.model.codec import encode
from pytest_agenteval.model.jsonvalue import canonical
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.store.files import write_atomically

VERDICT_SCHEMA = "agenteval-verdict/1"


def verdict_document(judged: Judged, exit_code: int, gate: str) -> dict[str, Any]:
    """The document: exit code, causes, verdicts, every estimate, and a digest of the scores behind them."""
    run = judged.finished.run
    return {
        "schema": VERDICT_SCHEMA,
        "run": run.id,
        "started": encode(run.started),
        "ended": encode(run.ended),
        "mode": run.mode,
        "gate": gate,
        "exit_code": exit_code,
        "causes": encode(judged.causes),
        "partial": list(run.partial),
        "trials": len(judged.finished.trials),
        "scores_digest": scores_digest(judged.finished.trials),
        "verdicts": encode(judged.verdicts),
        "estimates": encode(judged.finished.estimates),
        "not_evaluated": {name: reasons for name, reasons in judged.not_evaluated.items() if reasons},
    }


def scores_digest(trials: Sequence[Trial]) -> str:
    """SHA-256 over the value of every score, trial by trial in canonical order."""
    found = hashlib.sha256()
    for trial in trials:
        values = [[score.metric, score.metric_version, score.value] for score in trial.scores]
        found.update(canonical([*trial.key, values]).encode("utf-8", "replace"))
    return found.hexdigest()


def write_verdict(judged: Judged, exit_code: int, gate: str, workspace: Workspace) -> None:
    """Write the document. Raises IntegrityError where it cannot be written."""
    document = verdict_document(judged, exit_code, gate)
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False, sort_keys=True) + "\n"
    write_atomically(workspace.verdict_file, text.encode("utf-8", "replace"))
