"""W6: a year of weekly runs of 2,000 cases and 10 metrics. ``history.py build|append|table|report``."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from benchmarks.work import tell

WEEKS = 52
FIRST = datetime(2025, 12, 1, 12, tzinfo=UTC)
SUITE = "s"


def build() -> None:
    """A history of a year."""
    for week in range(WEEKS):
        _append(week)


def append() -> None:
    """One run more."""
    wall, cpu = _append(WEEKS)
    tell(append_ms=wall * 1000, append_cpu_ms=cpu * 1000)


def _append(week: int) -> tuple[float, float]:
    """Append the week's run; the seconds that it took, wall and CPU, the making of the run apart."""
    import numpy as np

    from benchmarks.decision import SPECS, scored
    from pytest_agenteval.app.workspace import Workspace
    from pytest_agenteval.model.run import FinishedRun, Run
    from pytest_agenteval.pipeline.aggregate import measure_all

    run = Run(id=f"week{week}", started=FIRST + timedelta(weeks=week), specs=SPECS)
    generator = np.random.Generator(np.random.PCG64(week))
    trials = [replace(trial, id=f"{run.id}-{trial.id}", at=run.started) for trial in scored(generator, 1)]
    estimates = tuple(measured.estimate for measured in measure_all(SUITE, SPECS, trials))
    finished = FinishedRun(run=run, trials=trials, estimates=estimates)
    history = Workspace.at(Path()).history
    wall, cpu = time.perf_counter(), time.process_time()
    history.append(finished)
    return time.perf_counter() - wall, time.process_time() - cpu


def table() -> None:
    """For each week and metric the value, its interval, and the change to the week before."""
    from pytest_agenteval.app.workspace import Workspace

    values = Workspace.at(Path()).history.week_values(SUITE)
    for before, now in pairwise(values):
        one, other = before.estimate, now.estimate
        if one.metric == other.metric and one.value is not None and other.value is not None:
            change = other.value - one.value
            print(f"{now.week} {other.metric} {other.value:.4f} [{other.low:.4f}, {other.high:.4f}] {change:+.4f}")
    tell(rows=len(values))


def report() -> None:
    """The command's full report of the newest week."""
    from pytest_agenteval.cli import main

    if main(["report"]):
        raise SystemExit("no report")  # noqa: EM101  # nobody catches it
    tell(page_mb=next(Path("reports").glob("*.html")).stat().st_size / 1024**2)


WAYS: dict[str, Callable[[], None]] = {"build": build, "append": append, "table": table, "report": report}

if __name__ == "__main__":
    WAYS[sys.argv[1]]()
