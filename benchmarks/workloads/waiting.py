"""W2 and W3: how near the wall time comes to what the agent itself takes."""

from __future__ import annotations

from benchmarks.bench import Bench
from benchmarks.table import Target, Workload
from benchmarks.work import WORKS
from benchmarks.workloads.gated import gate_target


def waiting_async(bench: Bench) -> Workload:
    """An agent that waits on the event loop."""
    return _against_bare(bench, "W2", "async", test="waiting_async", must=1.45, stretch=1.3)


def waiting_blocking(bench: Bench) -> Workload:
    """An agent that blocks its thread."""
    return _against_bare(bench, "W2", "blocking", test="waiting_blocking", must=1.45, stretch=1.25)


def repeats(bench: Bench) -> Workload:
    """Several attempts at each case."""
    return _against_bare(bench, "W3", "async", test="repeats", must=1.8, stretch=1.4)


def _against_bare(bench: Bench, name: str, way: str, *, test: str, must: float, stretch: float) -> Workload:
    work = WORKS[name]
    floor = {"async": "bare Python, gather", "blocking": "bare Python, threads"}[way]
    options = ("--agent-eval-concurrency", str(work.in_flight))
    attempts = f" × {work.repeats} attempts" if work.repeats > 1 else ""
    what = f"{work.count} cases{attempts} of {work.seconds * 1000:g} ms"
    return Workload(
        title=f"{name}, {way}. {what}, {work.in_flight} in flight",
        contenders=(
            bench.program(floor, "bare", name, way),
            bench.evaluated(test, *options),
            bench.gated(test, *options),
        ),
        floor=floor,
        targets=(
            Target(what=f"{name}, {way}, wall", of="ours", figure="wall", against=floor, must=must, stretch=stretch),
            gate_target(f"{name}, {way}"),
        ),
    )
