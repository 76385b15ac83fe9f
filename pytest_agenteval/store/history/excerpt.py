"""A few trials of a run, without decoding all the others."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Collection, Iterator, Mapping
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
        agents: dict[tuple[tuple[str, str], ...], dict[str, str]] = {}
        shown: list[Trial] = []
        reasons: dict[str, str] = {}
        for row in _rows(path):
            if row["case"].get("suite", "") != suite:
                continue
            agents.setdefault(_fields(row), row["trajectory"].get("agent", {}))
            if row["case"]["id"] in cases:
                shown.append(decode(Trial, row))
            for score in row.get("scores", ()):
                if score.get("value") is None:
                    reasons.setdefault(score["metric"], str(score.get("reason", "")))
        told = tuple(decode(AgentIdentity, agents[key]) for key in sorted(agents))
        return SuiteExcerpt(agents=told, trials=tuple(shown), reasons=reasons)
    except (OSError, EOFError, zlib.error, ValueError, LookupError, AttributeError, TypeError) as error:
        step = "Restore it from a copy, or move it out of the history"
        message = f"{path}: not a sound segment: {error!r}. {step}"
        raise HistoryError(message) from error


def _rows(path: Path) -> Iterator[Any]:
    """The trials of a segment as they stand there; a third of the time of the strict reader, who has seen it."""
    with gzip.open(path, "rb") as stream:
        if not stream.readline():
            message = "it is empty"
            raise EOFError(message)
        for line in stream:
            row = json.loads(line)
            if not aside_as(row):
                yield row


def _fields(row: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(row["trajectory"].get("agent", {}).items()))
