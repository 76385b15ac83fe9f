"""W5: recorded outputs, without an agent."""

from __future__ import annotations

from benchmarks.bench import Bench
from benchmarks.lines import LINES
from benchmarks.table import Target, Workload


def bulk(bench: Bench) -> Workload:
    """A plain loop against ``score_many``; both tell the means, which are to be the same."""
    floor = "plain json loop"
    lines = bench.prepared("lines", "scoring", "write")
    return Workload(
        title=f"W5. {LINES:,} recorded outputs of 0.5 kB, three metrics",
        contenders=(
            bench.program(floor, "scoring", "plain", project=lines),
            bench.program("ours", "scoring", "ours", project=lines),
        ),
        floor=floor,
        targets=(
            Target(what="W5, wall", of="ours", figure="wall", against=floor, must=1.25, stretch=0.6),
            Target(what="W5, CPU", of="ours", figure="cpu", against=floor, must=1.25, stretch=0.6),
            Target(what="W5, memory", of="ours", figure="mb", unit="MB", must=150),
        ),
    )
