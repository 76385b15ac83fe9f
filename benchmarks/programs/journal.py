"""W7: what it takes to have a finished case on disk, so that it survives a killed process. ``journal.py bare|ours``.

Bare is ``json.dumps`` and one ``write`` a case. Of ours the journal is told of a case twice: of its call by the thread
of the engine, and of its scores by that of the tests, which is the one that makes the session longer.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from benchmarks.work import WORKS, Asked, tell


def bare(cases: list[Asked]) -> None:
    """A record of the case, its answer and its scores."""
    handle = os.open("bare.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    begun = time.perf_counter()
    for case in cases:
        record = {**case._asdict(), "scores": {"exact": True, "contains": True, "json_valid": True}}
        os.write(handle, f"{json.dumps(record)}\n".encode())
    tell(store_us=_each(begun, cases))
    os.close(handle)


def ours(cases: list[Asked]) -> None:
    """The journal of a run."""
    from pytest_agenteval import Case, Score, Trajectory, Trial
    from pytest_agenteval.store.journal import Journal
    from pytest_agenteval.store.redaction import Redaction

    redaction, journal = Redaction(()), Journal(Path("runs"))
    trials = [
        redaction.trial(
            Trial(
                id=f"r-{case.id}",
                case=Case(id=case.id, input=case.input, expect={"output": case.output, "contains": case.needle}),
                trajectory=Trajectory(output=case.output),
            )
        )
        for case in cases
    ]
    scores = [Score(metric=name, value=True) for name in ("exact", "contains", "json_valid")]
    begun = time.perf_counter()
    for trial in trials:
        journal.called(trial)
    called = _each(begun, cases)
    begun = time.perf_counter()
    for trial in trials:
        journal.scored(trial, scores)
    tell(store_us=_each(begun, cases), engine_us=called)
    journal.close()


def _each(begun: float, cases: list[Asked]) -> float:
    return (time.perf_counter() - begun) / len(cases) * 1e6


if __name__ == "__main__":
    {"bare": bare, "ours": ours}[sys.argv[1]](WORKS["W1"].cases)
