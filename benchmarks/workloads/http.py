"""W4: an agent behind HTTP, where the client's CPU is the wall."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmarks.bench import ROOT, Bench
from benchmarks.table import Target, Workload
from benchmarks.work import WORKS

OPENAI = "openai==3.54.0"


def http_openai(bench: Bench) -> Workload:
    """Asked with the openai client."""
    return _http(bench, "openai", "http_openai", bench.environment("ours-openai", str(ROOT), OPENAI))


def http_standard(bench: Bench) -> Workload:
    """Asked with the standard library's client in threads; ours is the built-in HTTP agent."""
    return _http(bench, "threads", "http_connect", bench.ours)


def _http(bench: Bench, way: str, test: str, python: Path) -> Workload:
    work = WORKS["W4"]
    client = {"openai": "openai", "threads": "http.client"}[way]
    floor = f"bare Python, {client}"
    stub = bench.program("stub", "stub").command
    options = ("--agent-eval-concurrency", str(work.in_flight))
    contenders = (
        bench.program(floor, "bare_http", way, python=python),
        bench.evaluated(test, *options, python=python),
    )
    return Workload(
        title=f"W4, {client}. {work.count:,} HTTP calls of {work.seconds * 1000:g} ms, {work.in_flight} in flight",
        contenders=tuple(replace(one, beside=stub) for one in contenders),
        floor=floor,
        targets=(
            Target(what=f"W4, {client}, wall", of="ours", figure="wall", against=floor, must=1.45, stretch=1.2),
            Target(what=f"W4, {client}, CPU", of="ours", figure="cpu", against=floor, must=1.45, stretch=1.2),
            Target(what=f"W4, {client}", of="ours", figure="connections", unit="connections", must=work.in_flight),
        ),
    )
