"""W6: a year of history."""

from __future__ import annotations

from benchmarks.bench import Bench
from benchmarks.table import Target, Workload


def history(bench: Bench) -> Workload:
    """A run more, the table of the year in a cold process, and the full report."""
    year = bench.prepared("year", "history", "build")
    append, table, report = (bench.program(way, "history", way, project=year) for way in ("append", "table", "report"))
    return Workload(
        title="W6. A history of 52 weekly runs of 2,000 cases × 10 metrics",
        contenders=(append, table, report),
        targets=(
            Target(what="W6, a run more", of="append", figure="append_ms", unit="ms", must=50, stretch=15),
            Target(what="W6, 52-week table", of="table", figure="wall", unit="s", must=0.4, stretch=0.12),
            Target(what="W6, 52-week table", of="table", figure="mb", unit="MB", must=60),
            Target(what="W6, full report", of="report", figure="wall", unit="s", must=2),
            Target(what="W6, full report's page", of="report", figure="page_mb", unit="MB", must=3),
        ),
    )
