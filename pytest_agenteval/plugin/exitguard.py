"""``os._exit(0)`` ends a process at once and as if all were well. Not while a session runs agents in it."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import NoReturn

import pytest

from pytest_agenteval.pipeline import exits

_TOLD = b"\npytest-agenteval: the process was ended by os._exit(0) before the gate had judged: exit code 12\n"


def stand_guard(config: pytest.Config) -> None:
    """Until the session is over, let ``os._exit(0)`` in this process end it with exit code 12.

    A child that was forked from it (``multiprocessing``, say) ends as it likes. Whoever wants to get round this
    can: ``pytest-agenteval verdict check`` is what holds.
    """
    leave, owner, here, write = os._exit, os.getpid(), os.getpid, os.write
    capture = config.pluginmanager.get_plugin("capturemanager")

    def leave_red(status: int) -> NoReturn:
        if status == exits.OK and here() == owner:
            status = exits.INTEGRITY
            with suppress(Exception):  # it ends here, told or not
                if capture is not None:
                    capture.suspend_global_capture()
                write(2, _TOLD)
        leave(status)

    def restore() -> None:
        os._exit = leave

    os._exit = leave_red
    config.add_cleanup(restore)
