"""W7 and W8: figures taken inside a process."""

from __future__ import annotations

from benchmarks.bench import Bench
from benchmarks.table import Target, Workload


def journal(bench: Bench) -> Workload:
    """Storing a finished case."""
    return Workload(
        title="W7. A finished case on disk, µs each",
        contenders=(bench.program("json and write", "journal", "bare"), bench.program("ours", "journal", "ours")),
        targets=(Target(what="W7, on the tests' thread", of="ours", figure="store_us", unit="µs", must=20, stretch=8),),
    )


def bootstrap(bench: Bench) -> Workload:
    """The paired bootstrap of many metrics."""
    return Workload(
        title="W8. Paired bootstrap, 50 metrics × 10,000 resamples × 2,000 cases",
        contenders=(bench.program("ours", "bootstrap"),),
        targets=(
            Target(what="W8", of="ours", figure="seconds", unit="s", must=0.5, stretch=0.2),
            Target(what="W8, memory", of="ours", figure="grown_mb", unit="MB more", must=50),
        ),
    )
