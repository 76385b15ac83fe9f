"""A few trials of a run, without decoding all the others."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_agenteval.errors import HistoryError
from pytest_agenteval.model.codec import decode
from pytest_agenteval.model.run import Run
from pytest_agenteval.model.trajectory import AgentIdentity
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.store.history.segments import aside_as, segment_path


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteExcerpt:
    """Of one suite in a run: which agents answered, and the trials asked for.

    ``reasons`` has, by metric, why the first trial without a value has none.
    """

    agents: tuple[AgentIdentity, ...] = ()
    trials: tuple[Trial, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)


def read_some(root: Path, run: Run, suite: str, cases: Collection[str]) -> SuiteExcerpt:
    """The agents of a suite in a run of the history at ``root``, and its trials of these cases.

    Raises HistoryError, with the file, where the segment is not sound.
    """
    path = segment_path(root, run)
    try:
        mine = [row for row in _rows(path) if row["case"].get("suite", "") == suite]
        agents = {_fields(row): row["trajectory"].get("agent", {}) for row in mine}
        return SuiteExcerpt(
            agents=tuple(decode(AgentIdentity, agents[key]) for key in sorted(agents)),
            trials=tuple(decode(Trial, row) for row in mine if row["case"]["id"] in cases),
            reasons=_reasons(mine),
        )
    except (OSError, EOFError, zlib.error, ValueError, LookupError, AttributeError, TypeError) as error:
        step = "Restore it from a copy, or move it out of the history"
        message = f"{path}: not a sound segment: {error!r}. {step}"
        raise HistoryError(message) from error


def _rows(path: Path) -> list[Any]:
    """The trials of a segment as they stand there; a third of the time of the strict reader, who has seen it."""
    with gzip.open(path, "rb") as stream:
        _, *lines = stream.read().splitlines()
    rows = [json.loads(line) for line in lines]
    return [row for row in rows if not aside_as(row)]


def _reasons(rows: Sequence[dict[str, Any]]) -> dict[str, str]:
    scores = (score for row in reversed(rows) for score in row.get("scores", ()))
    return {score["metric"]: str(score.get("reason", "")) for score in scores if score.get("value") is None}


def _fields(row: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(row["trajectory"].get("agent", {}).items()))
