"""W0: what the plugin costs those who do not use it."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.bench import PYTEST, SWITCHED_OFF, Bench
from benchmarks.measure import Contender
from benchmarks.table import Target, Workload


def unused(bench: Bench) -> Workload:
    """A pytest session of one trivial test; Hypothesis, whose own plugin costs more, is in none of the environments."""
    floor, ours = "pytest alone", "ours, unused"
    used = Contender(
        name=ours, command=(str(bench.ours), *PYTEST), project=bench.project("trivial"), environ=bench.environ
    )
    off = replace(used, name="ours, switched off", command=(*used.command, *SWITCHED_OFF))
    return Workload(
        title="W0. A start of pytest with the plugin installed and not used",
        contenders=(bench.plain_pytest(floor, "trivial"), used, off),
        floor=floor,
        targets=(
            Target(what="W0, CPU", of=ours, figure="cpu", against=floor, must=1.03),
            Target(
                what="W0, CPU",
                of=ours,
                figure="cpu",
                against=floor,
                by="difference",
                scale=1000,
                unit="ms more",
                must=5,
                stretch=2,
            ),
        ),
        times=6,
    )
