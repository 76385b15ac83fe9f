"""How far the run has come: on a terminal in its last line, which stays there; elsewhere by a line now and then."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import suppress
from threading import Event, Thread
from time import monotonic

import pytest

from pytest_agenteval.app.runs import Plan
from pytest_agenteval.app.settings import Settings
from pytest_agenteval.app.trials import Trials
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.model.visible import visible
from pytest_agenteval.pipeline.progress import Tally
from pytest_agenteval.plugin.terminal import say

_REFRESH = 0.25
"""Seconds between two looks at a terminal's line; the first shows nothing of a run that is as short."""
_BETWEEN_LINES = 10.0
"""Seconds between two lines elsewhere; a shorter run has none."""
_SMALLEST = (5, 40)
"""Rows and columns of a terminal that has room for the line."""


def watch(config: pytest.Config, settings: Settings, plan: Callable[[], Plan | None], trials: Trials | None) -> None:
    """Show how far the run has come, unless the user wants it quiet. For the process that tells the user.

    ``trials`` are None where other processes make them: then nobody here knows how many calls are under way.
    """
    if config.get_verbosity() >= 0 and not config.option.collectonly and config.pluginmanager.hasplugin("terminal"):
        gating = (name for suite in settings.suites.values() for name in suite.gate)
        watching = _Watching(config, Tally(["success", *gating]), plan, trials)
        config.pluginmanager.register(watching, "agenteval-progress")


class _Watching:
    """Hooks that count; they write nothing on a terminal, whose line has a thread of its own."""

    def __init__(
        self, config: pytest.Config, tally: Tally, plan: Callable[[], Plan | None], trials: Trials | None
    ) -> None:
        self._config, self._tally, self._plan, self._trials = config, tally, plan, trials
        self._items: Mapping[str, str] | None = None
        self._done: set[str] = set()
        self._begun = self._told = monotonic()
        self._line: _LastLine | None = None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        """From the first item to the last one."""
        self._begun = self._told = monotonic()
        self._line = _LastLine.of(self._config, self._words)
        try:
            return (yield)
        finally:
            self._leave_the_terminal()
            if monotonic() - self._begun >= _BETWEEN_LINES:
                self._tell()

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count; the controller, which goes before, has made a trial of what a worker sent."""
        trial = getattr(report, "agenteval", None)
        if isinstance(trial, Trial):
            self._tally.take(trial)
        if (report.when == "call" or not report.passed) and report.nodeid in self._ours():
            self._done.add(report.nodeid)
            if self._line is None and monotonic() - self._told >= _BETWEEN_LINES:
                self._tell()

    def pytest_enter_pdb(self) -> None:
        """A debugger has the terminal to itself."""
        self._leave_the_terminal()

    def pytest_unconfigure(self) -> None:
        """Whatever ended the session."""
        self._leave_the_terminal()

    def _ours(self) -> Mapping[str, str]:
        """The items that have an agent; none until it is known what will run."""
        if self._items is None and (plan := self._plan()) is not None:
            self._items = plan.shares
        return self._items or {}

    def _words(self) -> str:
        """The line; the empty text where no item has an agent."""
        in_flight = None if self._trials is None else self._trials.n_under_way
        total = len(self._ours())
        now = self._tally.progress(len(self._done), total, monotonic() - self._begun, in_flight)
        return f"agent evaluation: {visible(now.words())}" if total else ""

    def _leave_the_terminal(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None

    def _tell(self) -> None:
        self._told = monotonic()
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None and (words := self._words()):
            say(reporter, words)


class _LastLine:
    """The last line of a terminal, out of which the rest scrolls: whatever is printed stays as it is.

    The terminal is told to scroll in the lines above alone, as package managers do; its cursor stays where it is.
    """

    def __init__(self, terminal: int, text: Callable[[], str]) -> None:
        self._terminal, self._text = terminal, text
        self._rows, self._shown = 0, ""
        self._is_over = Event()
        self._thread = Thread(target=self._refresh, name="agenteval-progress", daemon=True)
        self._thread.start()

    @classmethod
    def of(cls, config: pytest.Config, text: Callable[[], str]) -> _LastLine | None:
        """That of the terminal on which pytest reports, if it is one on which a person looks."""
        if (
            os.name != "posix"
            or os.environ.get("TERM", "dumb") == "dumb"
            or config.option.usepdb
            or config.option.trace
        ):
            return None
        if any(os.environ.get(name) for name in ("CI", "BUILD_NUMBER")):
            return None
        with suppress(OSError, ValueError):  # it is no file of the system's
            terminal = os.dup(sys.stdout.fileno())  # what a test prints is taken from the other one
            if os.isatty(terminal) and _has_room(terminal):
                return cls(terminal, text)
            os.close(terminal)
        return None

    def close(self) -> None:
        """Give the line back."""
        self._is_over.set()
        self._thread.join()
        if self._rows:
            self._write(f"\x1b7\x1b[r\x1b[{self._rows};1H\x1b[2K\x1b8")
        os.close(self._terminal)

    def _refresh(self) -> None:
        while not self._is_over.wait(_REFRESH):
            text = self._text()
            with suppress(OSError):  # the terminal is gone
                rows, columns = _size(self._terminal)
                if text and (rows, text) != (self._rows, self._shown):
                    self._write(self._room(rows) + f"\x1b7\x1b[{rows};1H\x1b[2K{text[: columns - 1]}\x1b8")
                    self._rows, self._shown = rows, text

    def _room(self, rows: int) -> str:
        """Where the terminal is new, or another size: scroll if the cursor is in the last line, and set that apart."""
        return "" if rows == self._rows else f"\x1bD\x1b[A\x1b7\x1b[1;{rows - 1}r\x1b8"

    def _write(self, sequence: str) -> None:
        with suppress(OSError):
            os.write(self._terminal, sequence.encode())


def _size(terminal: int) -> tuple[int, int]:
    columns, rows = os.get_terminal_size(terminal)
    return rows, columns


def _has_room(terminal: int) -> bool:
    return all(have >= needed for have, needed in zip(_size(terminal), _SMALLEST, strict=True))
