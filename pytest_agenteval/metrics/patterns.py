"""Regular expressions that cannot hang a run: they are matched by a kept child process with a time limit."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_agenteval.errors import MetricError

if TYPE_CHECKING:
    import subprocess

LIMIT_SECONDS = 1.0
STOPPED = 1  # how the watchdog ends the child


def pattern_found(pattern: str, text: str) -> bool:
    """Whether the pattern (syntax of ``re``) is found anywhere in the text.

    Raises MetricError where the pattern is none, or took more than ``LIMIT_SECONDS``.
    """
    answer = _CHILD.ask(pattern, text)
    if answer is None:
        message = f"the pattern took more than {LIMIT_SECONDS:g} s: {pattern:.80}"
        raise MetricError(message)
    if "error" in answer:
        message = f"the pattern {pattern:.80} cannot be used: {answer['error']}"
        raise MetricError(message)
    return answer["found"] is True


class _Child:
    """The child process: begun when first asked, again after a pattern was stopped, ended at exit."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def ask(self, pattern: str, text: str) -> dict[str, object] | None:
        """The child's answer, or None where the pattern was stopped."""
        with self._lock:
            process = self._running()
            assert process.stdin is not None and process.stdout is not None  # noqa: PT018  # both are pipes
            with contextlib.suppress(BrokenPipeError):  # it is gone: there will be no answer
                process.stdin.write(json.dumps([pattern, text, LIMIT_SECONDS]) + "\n")
                process.stdin.flush()
            line = process.stdout.readline()
            if not line:
                code = process.wait()
                self.end()
                return None if code == STOPPED else {"error": f"its process ended with code {code}"}
        answer: dict[str, object] = json.loads(line)
        return answer

    def _running(self) -> subprocess.Popen[str]:
        if self._process is not None and self._process.poll() is not None:
            self.end()
        if self._process is None:
            import subprocess  # a session that matches no pattern need not load it

            # By its path: the child needs neither this package nor what the environment says of imports.
            self._process = subprocess.Popen(
                [sys.executable, "-I", str(Path(__file__).with_name("_matcher.py"))],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            )  # fmt: skip
        return self._process

    def end(self) -> None:
        """End the child, if there is one, and wait until it is gone."""
        if self._process is None:
            return
        from subprocess import TimeoutExpired

        process, self._process = self._process, None
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        try:
            process.wait(LIMIT_SECONDS)  # it ends with its input
        except TimeoutExpired:
            process.kill()
            process.wait()

    def leave_to_the_parent(self) -> None:
        """Forget the child in a process that was forked from ours: it is not this one's to use or to end."""
        process, self._process, self._lock = self._process, None, threading.Lock()
        if process is not None:
            process.poll()  # learns that it is no child of this process, so nobody will wait for it


_CHILD = _Child()
atexit.register(_CHILD.end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_CHILD.leave_to_the_parent)
