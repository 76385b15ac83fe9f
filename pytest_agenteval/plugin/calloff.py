"""xdist: what a worker was dealt in advance is called off when the session is to stop."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress
from pathlib import Path

import pytest

from pytest_agenteval.app.runs import run_folder
from pytest_agenteval.app.settings import Settings
from pytest_agenteval.plugin.distribution import is_worker, of_shard


def register(config: pytest.Config, settings: Settings, run: str) -> None:
    """At the controller and in each worker of it."""
    file = run_folder(settings, run) / of_shard(config, "called-off")
    if is_worker(config):
        config.pluginmanager.register(_Heeding(file), "agenteval-heeding")
    else:
        file.unlink(missing_ok=True)  # left by what is resumed now
        config.pluginmanager.register(_CallingOff(file, config.getvalue("maxfail")), "agenteval-calling-off")


class _CallingOff:
    """xdist tells its workers only behind all that they were dealt, or after five seconds."""

    def __init__(self, file: Path, most_failures: int) -> None:
        self._file, self._most_failures, self._failures = file, most_failures, 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count as xdist does for -x and --maxfail."""
        self._failures += report.failed
        if report.failed and self._failures == self._most_failures:
            self._call_off()

    def pytest_keyboard_interrupt(self) -> None:
        """Ctrl-C, or SIGTERM."""
        self._call_off()

    def _call_off(self) -> None:
        with suppress(OSError):  # a full disk: then they end as xdist ends them
            self._file.touch()


class _Heeding:
    def __init__(self, file: Path) -> None:
        self._file = file

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Let the item at hand be the last one."""
        result = yield
        if self._file.exists():
            item.session.shouldstop = "called off"
        return result
