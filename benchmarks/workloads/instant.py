"""W1: what a case costs when the agent costs nothing."""

from __future__ import annotations

from benchmarks.bench import Bench
from benchmarks.table import Target, Workload
from benchmarks.work import WORKS
from benchmarks.workloads.gated import gate_target


def instant(bench: Bench) -> Workload:
    """Plain pytest asserts what ours measures and stores."""
    floor = "plain pytest"
    return Workload(
        title=f"W1. {WORKS['W1'].count:,} cases, an agent that answers at once, three metrics",
        contenders=(bench.plain_pytest(floor, "plain"), bench.evaluated("instant"), bench.gated("instant")),
        floor=floor,
        targets=(
            Target(what="W1, CPU", of="ours", figure="cpu", against=floor, must=1.15, stretch=0.75),
            Target(what="W1, wall", of="ours", figure="wall", against=floor, must=1.15, stretch=0.75),
            gate_target("W1"),
        ),
    )
