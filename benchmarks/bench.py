"""What the workloads are made from: interpreters with packages, and project folders."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Container, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmarks.measure import Contender

ROOT = Path(__file__).parent.parent
SWITCHED_OFF = ("-p", "no:pytest_agenteval")
PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider")
PROJECT = '[tool.pytest.ini_options]\nminversion = "8.0"\n'
UNGATED = frozenset({10})
"""The exit code without a baseline: red by intent."""
METRICS = ("exact", "contains", "json_valid")


@dataclass(frozen=True)
class Bench:
    """Makes contestants. All that is made lies below ``folder``; ``here`` takes this interpreter for all of them."""

    folder: Path
    here: bool = False

    def environment(self, name: str, *packages: str) -> Path:
        """The interpreter of an environment with these packages, or this one."""
        return Path(sys.executable) if self.here else self.installed(name, *packages)

    def installed(self, name: str, *packages: str) -> Path:
        """The interpreter of a fresh environment with these packages; made once a name."""
        python = self.folder / name / "bin" / "python"
        if not python.exists():
            venv.create(python.parent.parent, with_pip=True)
            subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True, capture_output=True)
        return python

    @cached_property
    def ours(self) -> Path:
        """The interpreter of an environment with the project alone."""
        return self.environment("ours", str(ROOT))

    @cached_property
    def environ(self) -> dict[str, str]:
        """Variables of all contestants: this package alone can be imported, and not the project's checkout."""
        library = self.folder / "library"
        shutil.copytree(ROOT / "benchmarks", library / "benchmarks", ignore=shutil.ignore_patterns("__pycache__"))
        return {"PYTHONPATH": str(library), "CI": ""}

    def project(self, test: str = "") -> Path:
        """A project's folder, with one of the test files of ``projects``."""
        folder = self.folder / f"project-{test or 'empty'}"
        if not folder.exists():
            folder.mkdir()
            (folder / "pyproject.toml").write_text(PROJECT, "utf-8")
            if test:
                shutil.copy(ROOT / "benchmarks" / "projects" / f"{test}.py", folder / f"test_{test}.py")
        return folder

    def program(
        self, name: str, program: str, *words: str, python: Path | None = None, project: Path | None = None
    ) -> Contender:
        """One of ``programs``, by default in our environment and an empty project."""
        file = ROOT / "benchmarks" / "programs" / f"{program}.py"
        command = (str(python or self.ours), str(file), *words)
        return Contender(name=name, command=command, project=project or self.project(), environ=self.environ)

    def prepared(self, name: str, program: str, *words: str) -> Path:
        """A project's folder in which one of ``programs`` has done its part."""
        project = Path(shutil.copytree(self.project(), self.folder / f"prepared-{name}"))
        self._do(project, self.program(name, program, *words).command)
        return project

    def plain_pytest(self, name: str, test: str) -> Contender:
        """Pytest in an environment of its own; here, with our plugin switched off."""
        off = SWITCHED_OFF if self.here else ()
        command = (str(self.environment("pytest", "pytest")), *PYTEST, *off)
        return Contender(name=name, command=command, project=self.project(test), environ=self.environ)

    def evaluated(self, test: str, *options: str, python: Path | None = None) -> Contender:
        """Our plugin on a test file of ``projects``: scored, redacted, stored; there is no baseline."""
        command = (str(python or self.ours), *PYTEST, "--agent-eval", *options)
        return Contender(name="ours", command=command, project=self.project(test), environ=self.environ, exits=UNGATED)

    def gated(self, test: str, *options: str) -> Contender:
        """The same, judged against a baseline that was approved before."""
        project = Path(shutil.copytree(self.project(test), self.folder / f"gated-{test}"))
        command = (str(self.ours), *PYTEST, "--agent-eval", *options)
        self._do(project, command, exits=UNGATED)
        approve = (str(self.ours.with_name("pytest-agenteval")), "baseline", "approve", test, "--reason", "a benchmark")
        self._do(project, (*approve, *(word for metric in METRICS for word in ("--metric", metric))))
        return Contender(name="ours, gate on", command=command, project=project, environ=self.environ)

    def _do(self, project: Path, command: Sequence[str], exits: Container[int] = (0,)) -> None:
        """Run a command in the project itself, to prepare it."""
        done = subprocess.run(
            command, cwd=project, env={**os.environ, **self.environ}, capture_output=True, check=False
        )
        if done.returncode not in exits:
            raise SystemExit(done.stdout.decode() + done.stderr.decode())
