"""Peers that do the same work, each in an environment of its own: what is installed, what is run, and how.

Each program or test file takes its work from ``BENCHMARK_WORK``. A peer does the workloads that it has options for.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.bench import PYTEST, ROOT, Bench
from benchmarks.measure import Contender

PYTEST_ITSELF = "pytest==9.2.0"
XDIST = "pytest-xdist==3.8.0"
ASYNCIO = "pytest-asyncio==1.5.0"
FOLDER = ROOT / "benchmarks" / "peers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """``program`` is a file of this folder: a script, or ``tests`` that pytest runs. Its ``options`` go by workload."""

    packages: Sequence[str]
    program: str
    tests: bool
    options: Mapping[str, Sequence[str]]
    environ: Mapping[str, str]


def _tests(program: str, *packages: str, **options: str) -> Peer:
    told = {work: words.split() for work, words in options.items()}
    return Peer(packages=(PYTEST_ITSELF, *packages), program=program, tests=True, options=told, environ={})


def _script(program: str, package: str, **environ: str) -> Peer:
    options = {"W1": (), "W2": (), "W3": ()}
    return Peer(packages=(package,), program=program, tests=False, options=options, environ=environ)


PEERS = {
    "pytest-xdist": _tests("plain_blocking", XDIST, W1="-n2", W2="-n16"),
    "pytest-asyncio": _tests("plain_asyncio", ASYNCIO, W1="", W2=""),
    "pytest-asyncio-cooperative": _tests(
        "cooperative",
        "pytest-asyncio-cooperative==0.40.0",
        W1="--max-asyncio-tasks 50",
        W2="--max-asyncio-tasks 50",
    ),
    "pytest-evals": _tests("evals", "pytest-evals==0.3.4", XDIST, W1="--run-eval", W2="--run-eval -n16"),
    "pytest-agent-eval": _tests(
        "agent_eval",
        "pytest-agent-eval==0.3.0",
        ASYNCIO,
        XDIST,
        W1="--agent-eval-live",
        W2="--agent-eval-live -n16",
        W3="--agent-eval-live",
    ),
    "langsmith": _script("langsmith_evaluate", "langsmith==0.15.0"),
    "deepeval": _script("deepeval_evaluate", "deepeval==4.3.1", DEEPEVAL_TELEMETRY_OPT_OUT="1"),
    "inspect": _script("inspect_eval", "inspect-ai==0.3.285"),
    "pydantic-evals": _script("pydantic_evaluate", "pydantic-evals==2.62.0"),
}


def contenders(bench: Bench, names: Sequence[str], work: str) -> Iterator[Contender]:
    """Those of the named peers that do this work."""
    for name in names:
        peer = PEERS[name]
        if work in peer.options:
            yield _contender(bench, name, peer, work)


def _contender(bench: Bench, name: str, peer: Peer, work: str) -> Contender:
    python = str(bench.installed(name, *peer.packages))
    file = f"test_{peer.program}.py" if peer.tests else f"{peer.program}.py"
    project = bench.folder / f"peer-{name}"
    if not project.exists():
        shutil.copytree(bench.project(), project)
        shutil.copy(FOLDER / f"{peer.program}.py", project / file)
    start = (python, *PYTEST) if peer.tests else (python,)
    environ = {**bench.environ, **peer.environ, "BENCHMARK_WORK": work}
    return Contender(name=name, command=(*start, file, *peer.options[work]), project=project, environ=environ)
