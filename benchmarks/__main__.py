"""Measure the workloads and print their tables. All runs of one comparison alternate, so that noise meets them alike.

Each contestant is a whole process, the floor first: what the same work takes without us. Ratios are taken round by
round; a figure is the median of all rounds.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.measure import rounds
from benchmarks.peers import PEERS, contenders
from benchmarks.table import TARGETS_HEAD, Workload, lines
from benchmarks.workloads.bulk import bulk
from benchmarks.workloads.history import history
from benchmarks.workloads.http import http_openai, http_standard
from benchmarks.workloads.inside import bootstrap, journal
from benchmarks.workloads.instant import instant
from benchmarks.workloads.unused import unused
from benchmarks.workloads.waiting import repeats, waiting_async, waiting_blocking

WORKLOADS: Mapping[str, tuple[Callable[[Bench], Workload], ...]] = {
    "W0": (unused,),
    "W1": (instant,),
    "W2": (waiting_async, waiting_blocking),
    "W3": (repeats,),
    "W4": (http_openai, http_standard),
    "W5": (bulk,),
    "W6": (history,),
    "W7": (journal,),
    "W8": (bootstrap,),
}


def main() -> int:
    """Make the environments, measure, print."""
    words = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    words.add_argument("workloads", nargs="*", metavar="W", help=f"only these of {', '.join(WORKLOADS)}")
    words.add_argument("--runs", type=int, default=5, help="rounds (5)")
    words.add_argument("--here", action="store_true", help="this interpreter, in place of fresh environments")
    words.add_argument("--peers", default="", help=f"comma-separated, or all: {', '.join(PEERS)}")
    options = words.parse_args()
    peers = [*PEERS] if options.peers == "all" else [name for name in options.peers.split(",") if name]
    unknown = [*({*options.workloads} - WORKLOADS.keys()), *({*peers} - PEERS.keys())]
    if unknown:
        words.error(f"unknown: {', '.join(unknown)}")
    targets = list(TARGETS_HEAD)
    with tempfile.TemporaryDirectory(prefix="agenteval-benchmark-") as folder:
        for workload in made(Bench(Path(folder), here=options.here), options.workloads or [*WORKLOADS], peers):
            say(f"\n**{workload.title}**\n")
            done = rounds(workload.contenders, options.runs * workload.times)
            say(*lines(workload, done))
            targets += [target.line(done) for target in workload.targets]
    say("", *targets)
    return 0


def made(bench: Bench, names: Sequence[str], peers: Sequence[str]) -> Iterator[Workload]:
    """The workloads; peers take part in the first one of a name."""
    for name in names:
        first, *others = WORKLOADS[name]
        workload = first(bench)
        yield replace(workload, contenders=(*workload.contenders, *contenders(bench, peers, name)))
        for other in others:
            yield other(bench)


def say(*text: str) -> None:
    """Print at once."""
    print(*text, sep="\n", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
