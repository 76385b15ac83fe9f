"""SIGTERM ends a session as Ctrl-C does: what is finished is kept, and the exit code is 143."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from types import FrameType
from typing import NoReturn

import pytest

_SIGNAL = "SIGTERM"


class Terminated(KeyboardInterrupt):
    """The process was asked to end."""


class Termination:
    """Listens while items run; from the end of the session on, SIGTERM ends the process at once, as ever."""

    def __init__(self) -> None:
        self._listens = self._is_asked = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Listen, unless somebody else does: only the main thread can."""
        is_main = threading.current_thread() is threading.main_thread()
        if is_main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            self._listens = True
            signal.signal(signal.SIGTERM, self._end)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self) -> None:
        """Python forgets what is raised while it finalises an object: ask again before the next item."""
        if self._is_asked:
            raise Terminated(_SIGNAL)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Generator[None]:
        """What is written now is whole or not there, whatever happens."""
        self._listen_no_more()
        yield

    def _end(self, _: int, __: FrameType | None) -> NoReturn:
        self._listen_no_more()  # whoever asks twice does not want to wait
        self._is_asked = True
        raise Terminated(_SIGNAL)

    def _listen_no_more(self) -> None:
        if self._listens:
            self._listens = False
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
