"""Any agent in processes of its own: one a call, with limits, and nothing of it left when the call is over.

When the agent is made, this process is copied (``fork``) with whatever the agent holds. The copy, the *stem*, never
calls it; for each call it makes a copy of itself, so each call begins with the agent as it was made. `_warden` has
what stands between a call and whoever asks. What comes back is JSON, read as strictly as that of a stranger.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
import warnings
import weakref
from codecs import getincrementaldecoder
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from pytest_agenteval.agents import _stem, _warden
from pytest_agenteval.agents.callable import CallableAgent
from pytest_agenteval.agents.conversation import Conversation, Ending, Kept
from pytest_agenteval.agents.raised import Raised
from pytest_agenteval.agents.wire import LONGEST_ANSWER, AgentAnswerError
from pytest_agenteval.contracts import Agent, Call
from pytest_agenteval.errors import AgentTargetError, InfrastructureError, InvalidValue
from pytest_agenteval.model.answer import settled
from pytest_agenteval.model.case import Case
from pytest_agenteval.model.codec import decode, encode
from pytest_agenteval.model.jsonvalue import canonical, parse
from pytest_agenteval.model.trajectory import Trajectory

_MOST_SHOWN = 1_000_000
"""Characters that are passed on of what a call prints."""
_STEM_ENDS = 3.0
"""Seconds that the stem is given to end, which it does when its last call has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a call may use: ``seconds``; MiB of memory in each of its processes, and of any file it writes."""

    seconds: float = 60.0
    memory: int = 4096
    file: int = 1024


def isolated(agent: Agent, limits: Limits | None = None) -> Agent:
    """The agent, each of whose calls has a process of its own; a recording stays as it is.

    To be made on the main thread, before there are others where that can be. Raises AgentTargetError where the
    system cannot copy a process.
    """
    return agent if agent.origin == "replay" else IsolatedAgent(agent, limits or Limits())


class IsolatedAgent:
    """An agent in processes of its own.

    What it raises there is raised here, as an exception of the same name, message and status. It can be called by
    several threads at once.

    >>> from pytest_agenteval.agents import adapt
    >>> agent = IsolatedAgent(adapt(lambda text: f"{text} from elsewhere"), Limits(seconds=10))
    >>> agent.answer(Call(case=Case(id="a", input="hello"))).output
    'hello from elsewhere'
    >>> agent.close()
    """

    def __init__(self, agent: Agent, limits: Limits) -> None:
        if not hasattr(os, "fork"):
            message = (
                "isolation = 'process' copies the process of pytest, which this system cannot do; "
                "run the agent as a command instead: connect('cmd: …')"
            )
            raise AgentTargetError(message)
        self.identity, self.origin = agent.identity, agent.origin
        self._agent, self._limits = agent, limits
        # Nobody judges himself: what a callable says was found of its answer was left out there, and is here, too.
        self._may_judge = not isinstance(agent, CallableAgent)
        self._lock, self._lines = threading.Lock(), set[socket.socket]()
        self._stem, far = socket.socketpair()
        here = os.getpid() if threading.current_thread() is threading.main_thread() else None
        pid = _copied(lambda: _be_stem(agent, limits, far, here))
        far.close()
        self._end = weakref.finalize(self, _end, os.getpid(), pid, self._stem, self._lines)

    def close(self) -> None:
        """End all its processes, those of calls under way too."""
        self._end()

    @property
    def inner(self) -> Agent:
        """The agent that it keeps apart."""
        return self._agent

    @property
    def takes_case(self) -> bool:
        """Whether the agent is given the whole case; one that does not say so may be."""
        return getattr(self._agent, "takes_case", True)

    def asked(self, call: Call) -> Case:
        """The case as the agent is asked it."""
        return self._agent.asked(call)

    def begun(self, call: Call) -> Any:  # noqa: ANN401  # what the agent says: an instant, or None
        """When the trial began."""
        return self._agent.begun(call)

    def answer(self, call: Call) -> Trajectory:
        """What the agent answered; what it prints is printed here.

        Raises what the agent raises, TimeoutError where the time limit is over, AgentAnswerError where its process
        ended without an answer, InfrastructureError where none could be started.
        """
        answer = Kept(LONGEST_ANSWER)
        asked = canonical(encode(call)).encode("utf-8", "surrogatepass")
        with Conversation(asked, _Aloud("stdout"), _Aloud("stderr"), answer) as talk:
            with self._lock:
                self._lines.add(talk.line)
            try:
                self._begin(talk)
                ending = talk.hold(self._limits.seconds, enough=lambda: answer.is_too_much)
            finally:
                with self._lock:
                    self._lines.discard(talk.line)
        self._refuse(ending, answer)
        return self._told(bytes(answer.kept))

    def _begin(self, talk: Conversation) -> None:
        try:
            with self._lock:
                socket.send_fds(self._stem, [b"?"], talk.far_ends)
        except OSError as error:
            message = f"the process that holds {self._name} has ended; nothing can be asked of it any more"
            raise AgentAnswerError(message) from error

    @property
    def _name(self) -> str:
        return f"the agent {self.identity.name}".rstrip()

    def _refuse(self, ending: Ending, answer: Kept) -> None:
        if ending.failed:
            message = f"no process could be started for {self._name}: {ending.failed}"
            raise InfrastructureError(message)
        if answer.is_too_much:
            message = f"{self._name} answered more than {LONGEST_ANSWER // 2**20} MiB; it was ended"
            raise AgentAnswerError(message)
        if not ending.in_time:
            message = f"{self._name} {ending.too_late(self._limits.seconds)}"
            raise TimeoutError(message)
        if ending.status != 0 or not answer.kept:
            message = f"the process of {self._name} {ending.in_words()}, and gave no answer"
            raise AgentAnswerError(message)

    def _told(self, sent: bytes) -> Trajectory:
        """The answer, or the exception, that the process sent; the agent may have written anything there."""
        try:
            told = parse(sent[1:].decode("utf-8", "surrogatepass"))
            if sent[:1] == _stem.RAISED:
                error = decode(Raised, told).error()
            else:
                trajectory = settled(decode(Trajectory, told), self.identity)
                return trajectory if self._may_judge else replace(trajectory, recorded={})
        except (InvalidValue, ValueError) as error_of_form:
            message = f"the process of {self._name} sent no answer: {error_of_form}"
            raise AgentAnswerError(message) from error_of_form
        raise error


class _Aloud:
    """Passes on what a process prints, as it comes; of a flood, the beginning."""

    def __init__(self, stream: str) -> None:
        self._stream, self._left = stream, _MOST_SHOWN
        self._decode = getincrementaldecoder("utf-8")("replace").decode

    def __call__(self, chunk: bytes) -> None:
        if self._left:
            text = self._decode(chunk, not chunk)[: self._left]
            self._left -= len(text)
            # Looked up for each chunk: pytest puts another in its place between the phases of a test.
            getattr(sys, self._stream).write(
                text if self._left else f"{text}\n… cut after {_MOST_SHOWN:,} characters\n"
            )


def _be_stem(agent: Agent, limits: Limits, asker: socket.socket, parent: int | None) -> None:
    if parent is not None:  # of another thread it would die with that
        _warden.die_with(parent)
    _stem.serve(agent, (limits.seconds, limits.memory, limits.file), asker)


def _copied(act: Callable[[], object]) -> int:
    """The id of a copy of this process that does this, and nothing else."""
    with warnings.catch_warnings():
        # Python warns of copies of a process with several threads, since a lock that another thread holds stays
        # shut in the copy. Here the engine's threads are there by design; the copy uses no lock of theirs.
        warnings.filterwarnings("ignore", ".*multi-threaded.*fork", DeprecationWarning)
        return _warden.forked(act)


def _end(owner: int, stem: int, asker: socket.socket, lines: set[socket.socket]) -> None:
    """Shut all lines, and wait until the stem has ended, which waits for its wardens."""
    if os.getpid() != owner:  # a copy of that process, to which they do not belong
        return
    for line in list(lines):
        with suppress(OSError):  # that call has just ended
            line.shutdown(socket.SHUT_WR)
    asker.close()
    until = time.monotonic() + _STEM_ENDS
    with suppress(ChildProcessError):  # somebody waits for all children of this process
        while not os.waitpid(stem, os.WNOHANG)[0]:
            if time.monotonic() > until:
                os.kill(stem, signal.SIGKILL)
            time.sleep(0.001)
