"""An agent that is a command: one process a call, JSON on its standard input and output."""

from __future__ import annotations

import os
import selectors
import shlex
import shutil
import signal
import subprocess
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import IO

from pytest_agenteval.agents.wire import LONGEST_ANSWER, AgentAnswerError, question, read_answer, time_limit
from pytest_agenteval.contracts import Call
from pytest_agenteval.errors import AgentTargetError, InfrastructureError
from pytest_agenteval.model.case import Case
from pytest_agenteval.model.trajectory import AgentIdentity, Trajectory
from pytest_agenteval.model.trial import Origin

_CHUNK = 64 * 1024
_KEPT_OF_STDERR = 4096
_SHOWN_OF_STDERR = 5
_GRACE = 2.0
"""Seconds between the request to end and the end."""
_DRAIN = 1.0
"""Seconds that a descendant may hold the output after the command has ended."""


class ProcessAgent:
    """A command as an agent: it reads one question and writes one answer.

    ``timeout`` is the number of seconds that a call may take; then the command and all that it started
    in its session are ended. No shell is involved. Raises AgentTargetError where there is no such command.

    >>> ProcessAgent("cat -u").identity.name
    'cat -u'
    """

    origin: Origin = "live"

    def __init__(self, command: str, *, timeout: float = 60.0) -> None:
        self._words = _checked_command(command)
        self._timeout = time_limit(timeout)
        self.identity = AgentIdentity(name=command)
        self._running: set[int] = set()
        # Also when the interpreter ends: no process outlives the session that asked it.
        weakref.finalize(self, _end_all, self._running)

    def asked(self, call: Call) -> Case:
        """The case, unchanged."""
        return call.case

    def begun(self, _call: Call) -> None:
        """Now: the agent is alive."""

    def answer(self, call: Call) -> Trajectory:
        """What the command wrote.

        Raises TimeoutError where the time limit is over, InfrastructureError where the command cannot be
        started, AgentAnswerError or EmptyAnswer where it fails or writes no answer.
        """
        try:
            talk = _Conversation(self._words, question(call))
        except OSError as error:
            message = f"the command {self._words[0]!r} could not be started: {error}"
            raise InfrastructureError(message) from error
        self._running.add(talk.group)
        try:
            in_time = talk.held(self._timeout)
        finally:
            talk.close()
            self._running.discard(talk.group)
        if not in_time:
            message = f"the command {self._words[0]!r} did not answer within {self._timeout:g} s"
            raise TimeoutError(message)
        self._refuse(talk)
        return read_answer(bytes(talk.output), self.identity)

    def _refuse(self, talk: _Conversation) -> None:
        name = self._words[0]
        if talk.said_too_much:
            message = f"the command {name!r} wrote more than {LONGEST_ANSWER // 2**20} MiB; it was ended"
            raise AgentAnswerError(message)
        if talk.status:
            lines = talk.complaint.decode("utf-8", "replace").splitlines()[-_SHOWN_OF_STDERR:]
            said = "it wrote:\n" + "\n".join(lines) if lines else "it wrote nothing to its standard error"
            message = f"the command {name!r} {_ending(talk.status)}; {said}"
            raise AgentAnswerError(message)


class _Conversation:
    """One process and its pipes, served by the thread that asks."""

    def __init__(self, words: list[str], asked: bytes) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0, start_new_session=True)
        self.group = self._process.pid
        self.output, self.complaint = bytearray(), bytearray()
        self._asked = memoryview(asked)
        self._ended, ended = os.pipe()
        # Waiting in a thread of its own tells the end at once, whoever else holds the pipes.
        self._waiter = threading.Thread(target=_wait, args=(self._process, ended), daemon=True)
        self._waiter.start()
        self._selector = selectors.DefaultSelector()
        self._watch(self._process.stdin, self._write, selectors.EVENT_WRITE)
        self._watch(self._process.stdout, self._read_output)
        self._watch(self._process.stderr, self._read_complaint)
        self._watch(self._ended, self._forget)

    @property
    def said_too_much(self) -> bool:
        return len(self.output) > LONGEST_ANSWER

    @property
    def status(self) -> int:
        return self._process.wait()

    def held(self, seconds: float) -> bool:
        """Serve the process until it has ended; False where it had to be ended at the time limit."""
        in_time = self._serve(seconds, lambda: self._has_ended or self.said_too_much)
        if not in_time:
            _signal(self.group, signal.SIGTERM)
            self._serve(_GRACE, lambda: self._has_ended)
        if self._has_ended:
            self._serve(_DRAIN, lambda: self.said_too_much or not self._is_heard)
        return in_time

    def close(self) -> None:
        """End what is left of the process's group, and close all pipes."""
        _signal(self.group, signal.SIGKILL)
        self._waiter.join(_GRACE)
        self._selector.close()
        os.close(self._ended)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    @property
    def _has_ended(self) -> bool:
        return self._ended not in self._selector.get_map()

    @property
    def _is_heard(self) -> bool:
        watched = self._selector.get_map()
        return self._process.stdout in watched or self._process.stderr in watched

    def _watch(
        self, stream: int | IO[bytes] | None, serve: Callable[[int], None], event: int = selectors.EVENT_READ
    ) -> None:
        assert stream is not None  # all three are pipes
        number = stream if isinstance(stream, int) else stream.fileno()
        os.set_blocking(number, False)
        self._selector.register(number, event, serve)

    def _serve(self, seconds: float, done: Callable[[], bool]) -> bool:
        """Move what can be moved until ``done``; False where the seconds are over before."""
        until = time.monotonic() + seconds
        while not done():
            left = until - time.monotonic()
            if left <= 0:
                return False
            for key, _ in self._selector.select(left):
                key.data(key.fd)
        return True

    def _write(self, number: int) -> None:
        try:
            self._asked = self._asked[os.write(number, self._asked[:_CHUNK]) :]
        except BrokenPipeError:  # it does not want to hear it all
            self._asked = self._asked[:0]
        if not self._asked and self._process.stdin is not None:
            self._forget(number)
            self._process.stdin.close()

    def _read_output(self, number: int) -> None:
        chunk = os.read(number, _CHUNK)
        self.output += chunk
        if not chunk:
            self._forget(number)

    def _read_complaint(self, number: int) -> None:
        chunk = os.read(number, _CHUNK)
        self.complaint = (self.complaint + chunk)[-_KEPT_OF_STDERR:]
        if not chunk:
            self._forget(number)

    def _forget(self, number: int) -> None:
        self._selector.unregister(number)


def _checked_command(command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        message = f"the command {command!r:.200} cannot be taken apart: {error}"
        raise AgentTargetError(message) from error
    if not words or "\0" in command:
        message = "'cmd:' names no command; write it like 'cmd: python my_agent.py'"
        raise AgentTargetError(message)
    if shutil.which(words[0]) is None:
        message = f"there is no command {words[0]!r} that can be run ('cmd: {command:.200}'). Is it on the PATH?"
        raise AgentTargetError(message)
    return words


def _wait(process: subprocess.Popen[bytes], ended: int) -> None:
    process.wait()
    os.close(ended)


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):  # nobody is left
        os.killpg(group, number)


def _end_all(groups: set[int]) -> None:
    for group in list(groups):
        _signal(group, signal.SIGKILL)


def _ending(status: int) -> str:
    if status > 0:
        return f"ended with status {status}"
    return f"was ended by signal {-status} ({signal.strsignal(-status)})"
