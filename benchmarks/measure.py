"""Run contestants as whole processes, in turn, and measure each: wall, CPU, memory, and what they tell."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

MB = 1024 if sys.platform != "darwin" else 1024**2
"""What ``ru_maxrss`` counts in: kilobytes, on macOS bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A process to measure.

    ``command`` runs in a fresh copy of ``project`` each time. ``beside`` is a process that runs meanwhile: it prints an
    address, which the command finds in ``BENCHMARK_URL``, ends with its standard input, and may tell figures.
    ``exits`` are the exit codes of a run that did all of its work.
    """

    name: str
    command: Sequence[str]
    project: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    beside: Sequence[str] = ()
    exits: frozenset[int] = frozenset({0})
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one run took: seconds, seconds of CPU, the peak of the largest process in MB, and figures that it told.

    Linux begins a child's peak with what this process has itself, so none is below that (about 23 MB).
    """

    wall: float
    cpu: float
    mb: float
    told: Mapping[str, float] = field(default_factory=dict)

    def figure(self, name: str) -> float:
        """The figure of this name: wall, cpu, mb, or a told one."""
        return self.told[name] if name in self.told else float(getattr(self, name))


Round = Mapping[str, Sample]
"""One run of each contestant, by its name."""


def rounds(contenders: Sequence[Contender], times: int) -> list[Round]:
    """All contestants in turn, so that noise meets them alike; once before, for the compiled files."""
    for contender in contenders:
        run(contender, keep_compiled=True)
    return [{contender.name: run(contender) for contender in contenders} for _ in range(times)]


def run(contender: Contender, *, keep_compiled: bool = False) -> Sample:
    """Run it once. Ends the program, with what the process said, where its exit code is not an expected one."""
    with tempfile.TemporaryDirectory(prefix="agenteval-run-") as folder:
        project = Path(shutil.copytree(contender.project, Path(folder, "project")))
        output = Path(folder, "output")
        environ = {**os.environ, **contender.environ}
        with _beside(contender, environ, Path(folder, "beside")), output.open("wb") as out:
            begun = time.perf_counter()
            process = subprocess.Popen(contender.command, cwd=project, env=environ, stdout=out, stderr=out)
            _, status, used = os.wait4(process.pid, 0)
            wall = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        said = output.read_text("utf-8", "replace")
        if process.returncode not in contender.exits:
            raise SystemExit(f"{contender.name}: exit code {process.returncode}\n{said}")  # noqa: EM102  # nobody catches it
        told = figures(said + (Path(folder, "beside").read_text("utf-8") if contender.beside else ""))
        if keep_compiled:
            for compiled in project.rglob("__pycache__"):
                shutil.copytree(compiled, contender.project / compiled.relative_to(project), dirs_exist_ok=True)
    return Sample(wall=wall, cpu=used.ru_utime + used.ru_stime, mb=used.ru_maxrss / MB, told=told)


@contextmanager
def _beside(contender: Contender, environ: dict[str, str], output: Path) -> Iterator[None]:
    """The process beside, if there is one, from its address to its last figure."""
    if not contender.beside:
        yield
        return
    with (
        output.open("wb") as out,
        subprocess.Popen(contender.beside, env=environ, stdin=subprocess.PIPE, stdout=out) as process,
    ):
        while not (told := output.read_text("utf-8")).endswith("\n") and process.poll() is None:
            time.sleep(0.01)
        environ["BENCHMARK_URL"] = told.strip()
        yield
        if process.stdin:
            process.stdin.close()


def figures(output: str) -> dict[str, float]:
    """The figures that ``work.tell`` printed.

    >>> figures("figure connections 64")
    {'connections': 64.0}
    """
    told = [line.split() for line in output.splitlines() if line.startswith("figure ")]
    return {name: float(value) for _, name, value in told}
