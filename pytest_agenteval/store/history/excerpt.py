"""A few trials of a run, without decoding all the others."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_agenteval.errors import HistoryError, InvalidValue
from pytest_agenteval.model.codec import decode
from pytest_agenteval.model.run import Run
from pytest_agenteval.model.trajectory import AgentIdentity
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.store.history.segments import rows_of, segment_path


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteExcerpt:
    """Of one suite in a run: which agents answered, in the order of their names, and the trials asked for."""

    agents: tuple[AgentIdentity, ...]
    trials: tuple[Trial, ...]


def read_some(root: Path, run: Run, suite: str, cases: Collection[str]) -> SuiteExcerpt:
    """The agents of a suite in a run of the history at ``root``, and its trials of these cases.

    Raises HistoryError, with the file, where the segment is not sound.
    """
    path = segment_path(root, run)
    try:
        rows = rows_of(path)
        next(rows)
        mine = [row for _, row in rows if row["case"].get("suite", "") == suite]
        agents = {_fields(row): row["trajectory"].get("agent", {}) for row in mine}
        return SuiteExcerpt(
            agents=tuple(decode(AgentIdentity, agents[key]) for key in sorted(agents)),
            trials=tuple(decode(Trial, row) for row in mine if row["case"]["id"] in cases),
        )
    except (InvalidValue, OverflowError, KeyError, AttributeError, TypeError) as error:
        message = f"{path}: not a sound segment: {error!r}. Restore it from a copy, or move it out of the history"
        raise HistoryError(message) from error


def _fields(row: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(row["trajectory"].get("agent", {}).items()))
