"""A stored run of very many trials scored anew, judged and reported by the command: seconds and memory of each step.

Run as ``python -m benchmarks.million --trials 1000000``. The trials are made up: 10 attempts a case, 9 in 10 right.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.measure import MB
from pytest_agenteval.metrics import built_in_metric
from pytest_agenteval.model.case import Case
from pytest_agenteval.model.codec import encode
from pytest_agenteval.model.estimate import Estimate
from pytest_agenteval.model.jsonvalue import digest
from pytest_agenteval.model.run import FinishedRun, Run
from pytest_agenteval.model.score import MetricSpec
from pytest_agenteval.store.history.segments import head_line, segment_path

SUITE = "sums"
METRICS = ("exact", "contains", "json_valid")
SETTINGS = f"""
[tool.pytest-agenteval]
owner = "Dana"
[tool.pytest-agenteval.suites.{SUITE}.gate]
exact = {{ floor = 0.5, margin = 0.02 }}
"""
MONDAY = datetime(2026, 11, 16, 9, tzinfo=UTC)
STEPS = (
    ("approve", "baseline", "approve", SUITE, "--run", "before", "--reason", "measured"),
    ("rescore", "rescore", "now", *(word for metric in METRICS for word in ("--metric", metric)), "--stands"),
    ("gate", "gate", "now-"),
    ("report", "report"),
)


def main() -> int:
    """Make the history, run the steps, print their table."""
    words = argparse.ArgumentParser(prog="python -m benchmarks.million", description=__doc__)
    words.add_argument("--trials", type=int, default=100_000)
    words.add_argument("--attempts", type=int, default=10, help="of each case (10)")
    options = words.parse_args()
    with tempfile.TemporaryDirectory(prefix="agenteval-million-") as folder:
        project = Path(folder)
        (project / "pyproject.toml").write_text(SETTINGS, encoding="utf-8")
        for name, at in (("before", MONDAY), ("now", MONDAY + timedelta(weeks=1))):
            write(project / "history", name, at, options.trials, options.attempts)
        say(f"{options.trials:,} trials, {options.attempts} a case", "", "| step | s | peak MB |", "|---|---|---|")
        for step, *command in STEPS:
            seconds, mb = measured(command, project)
            say(f"| {step} | {seconds:.0f} | {mb:.0f} |")
    return 0


def write(root: Path, name: str, at: datetime, trials: int, attempts: int) -> None:
    """A segment of made-up trials, without making a Trial of each."""
    specs = {metric: spec_of(metric) for metric in ("error_rate", "exact", "latency_seconds")}
    path = segment_path(root, run := Run(id=name, started=at, specs=specs))
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", compresslevel=1, encoding="utf-8") as file:
        told = {"error_rate": 0.0, "exact": 0.9, "latency_seconds": 0.58}
        estimates = [
            Estimate(suite=SUITE, metric=metric, n=trials // attempts, value=value) for metric, value in told.items()
        ]
        file.write(head_line(FinishedRun(run=run, trials=(), estimates=tuple(estimates))))
        file.writelines(f"{json.dumps(row)}\n" for row in rows(name, at, trials, attempts))


def rows(name: str, at: datetime, trials: int, attempts: int) -> Iterator[dict[str, object]]:
    """The trials in their order: of each case several attempts, of which one in ten is wrong."""
    for number in range(trials):
        place, attempt = divmod(number, attempts)
        if attempt == 0:
            due = json.dumps({"answer": place * 7})
            case = Case(
                id=f"case-{place:07d}",
                suite=SUITE,
                input=f"what is {place} * 7?" + " " * 200,
                expect={"output": due, "contains": str(place * 7)},
            )
            told, fingerprint = encode(case), case.fingerprint
        right = (place * 31 + attempt * 17) % 10 != 0
        output = due if right else f'{{"answer": {number}'
        yield {
            "id": f"{name}-{number:08x}", "case": told, "attempt": attempt + 1, "at": at.isoformat(),
            "trajectory": {"output": output, "seconds": 0.1 + number % 97 / 100, "agent": {"name": "made-up"}},
            "case_fingerprint": fingerprint, "answer_digest": digest(output),
            "scores": [
                {"metric": "error_rate", "value": False}, {"metric": "exact", "value": right},
                {"metric": "latency_seconds", "value": 0.1 + number % 97 / 100},
            ],
        }  # fmt: skip


def spec_of(metric: str) -> MetricSpec:
    """What is known of a built-in metric."""
    return built_in_metric(metric).spec


def measured(command: Sequence[str], project: Path) -> tuple[float, float]:
    """Seconds and peak megabytes of one command, whose lines are shown as they come."""
    began = time.perf_counter()
    code = "import sys; from pytest_agenteval.cli import main; sys.exit(main())"
    process = subprocess.Popen([sys.executable, "-c", code, *command], cwd=project, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in {0, 10, 11}:
        message = f"{' '.join(command)} ended with {process.returncode}"
        raise RuntimeError(message)
    return time.perf_counter() - began, used.ru_maxrss / MB


def say(*lines: str) -> None:
    """Print."""
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
