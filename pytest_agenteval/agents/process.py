"""An agent that is a command: one process a call, JSON on its standard input and output."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys

from pytest_agenteval.agents import _warden
from pytest_agenteval.agents.conversation import Conversation, Ending, Kept
from pytest_agenteval.agents.wire import LONGEST_ANSWER, AgentAnswerError, question, read_answer, time_limit
from pytest_agenteval.contracts import Call
from pytest_agenteval.errors import AgentTargetError, InfrastructureError
from pytest_agenteval.model.case import Case
from pytest_agenteval.model.trajectory import AgentIdentity, Trajectory
from pytest_agenteval.model.trial import Origin

_KEPT_OF_STDERR = 4096
_SHOWN_OF_STDERR = 5
_DRAIN = 1.0
"""Seconds that a descendant may hold the output after the command has ended."""
_WARDEN = (sys.executable, "-I", "-S", _warden.__file__)
"""Without the site's packages: it starts in a third of the time."""


class ProcessAgent:
    """A command as an agent: it reads one question and writes one answer.

    ``timeout`` is the number of seconds that a call may take; then the command is asked to end, and a second later
    it is ended. What it started ends with it, wherever that went. No shell is involved. Raises AgentTargetError
    where there is no such command.

    >>> ProcessAgent("cat -u").identity.name
    'cat -u'
    """

    origin: Origin = "live"
    takes_case = False

    def __init__(self, command: str, *, timeout: float = 60.0) -> None:
        self._words = _checked_command(command)
        self._timeout = time_limit(timeout)
        self.identity = AgentIdentity(name=command)

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
        output, complaint = Kept(LONGEST_ANSWER), Kept(_KEPT_OF_STDERR)
        with Conversation(question(call), output, complaint) as talk:
            process = self._warden(talk)
            ending = talk.hold(self._timeout, patience=_DRAIN, enough=lambda: output.is_too_much)
        process.kill()  # it has ended, unless the command stopped it
        process.wait()
        self._refuse(ending, output, complaint)
        return read_answer(bytes(output.kept), self.identity)

    def _warden(self, talk: Conversation) -> subprocess.Popen[bytes]:
        asked, told, complained, line = talk.far_ends
        try:
            return subprocess.Popen(
                [*_WARDEN, str(line), *self._words],
                stdin=asked, stdout=told, stderr=complained, pass_fds=[line], start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            message = f"the command {self._words[0]!r} could not be started: {error}"
            raise InfrastructureError(message) from error

    def _refuse(self, ending: Ending, output: Kept, complaint: Kept) -> None:
        name = self._words[0]
        if ending.failed:
            message = f"the command {name!r} could not be started: {ending.failed}"
            raise InfrastructureError(message)
        if output.is_too_much:
            message = f"the command {name!r} wrote more than {LONGEST_ANSWER // 2**20} MiB; it was ended"
            raise AgentAnswerError(message)
        if not ending.in_time:
            message = f"the command {name!r} {ending.too_late(self._timeout)}"
            raise TimeoutError(message)
        if ending.status != 0:
            lines = complaint.kept.decode("utf-8", "replace").splitlines()[-_SHOWN_OF_STDERR:]
            said = "it wrote:\n" + "\n".join(lines) if lines else "it wrote nothing to its standard error"
            message = f"the command {name!r} {ending.in_words()}; {said}"
            raise AgentAnswerError(message)


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
