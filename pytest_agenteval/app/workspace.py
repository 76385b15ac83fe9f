"""The stores of a project, opened where its settings say."""

from __future__ import annotations

import shutil
from functools import cached_property
from pathlib import Path

from pytest_agenteval.app.settings import Settings, load_settings
from pytest_agenteval.store.audit import Audit
from pytest_agenteval.store.baselines import Baselines
from pytest_agenteval.store.files import safe_name
from pytest_agenteval.store.history import History
from pytest_agenteval.store.quarantine import Quarantines

CASE_FILES = (".jsonl", ".json", ".yaml", ".yml", ".csv")
"""Endings of the names of case files."""


class Workspace:
    """One project's baselines, history and audit log."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @classmethod
    def at(cls, root: Path) -> Workspace:
        """The workspace of the project in the folder ``root``."""
        return cls(load_settings(root))

    @cached_property
    def audit(self) -> Audit:
        """The log of changes."""
        return Audit(self.settings.path("audit") / "changes.jsonl")

    @cached_property
    def baselines(self) -> Baselines:
        """The approved references."""
        return Baselines(self.settings.path("baselines"), self.audit)

    @cached_property
    def quarantines(self) -> Quarantines:
        """The flaky cases that do not gate for a while."""
        return Quarantines(self.settings.path("quarantine"), self.audit)

    @cached_property
    def history(self) -> History:
        """The finished runs."""
        return History(self.settings.path("history"), self.settings.path("work") / "index.sqlite")

    def case_files(self, suite: str) -> list[Path]:
        """The case files of a suite; what an editor or a system leaves beside them is none."""
        folder = self.settings.path("suite_folder") / safe_name(suite) / "cases"
        return sorted(file for ending in CASE_FILES for file in folder.glob(f"[!.]*{ending}"))

    @property
    def verdict_file(self) -> Path:
        """The verdict of the last run."""
        return self.settings.path("work") / "verdict.json"

    def forget_sealed_journals(self, *, but: str) -> None:
        """Remove the journals of earlier runs whose segment lies in the history; one run's stays for a look."""
        for folder in (self.settings.path("work") / "runs").glob("*"):
            sealed = any(self.settings.path("history").glob(f"*/run-{safe_name(folder.name)}.jsonl.gz"))
            if folder.name != but and sealed:
                shutil.rmtree(folder, ignore_errors=True)
