"""The far side of an isolated agent: the stem, from which each call's process is copied, and what is done there."""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import inspect
import logging
import math
import os
import resource
import signal
import socket
import stat
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import NoReturn

from pytest_agenteval.agents import _warden
from pytest_agenteval.agents.raised import Raised, raised
from pytest_agenteval.contracts import Agent, Call
from pytest_agenteval.model.answer import kind_of, settled
from pytest_agenteval.model.codec import decode, encode
from pytest_agenteval.model.jsonvalue import canonical, parse
from pytest_agenteval.model.trajectory import AgentIdentity, Trajectory

ANSWERED, RAISED = b"=", b"!"
"""The first byte of what a call sends back."""
_ENDS = 5
"""Descriptors that come with a call: question, output, complaints, answer, line."""
_MIB = 2**20
_LAST_STREAM = 2
_OPEN_FILES = 1024
_LOG_FORMAT = "%(levelname)-8s %(name)s:%(filename)s:%(lineno)d %(message)s"  # pytest's own
_RANDOM = (("numpy.random", "seed"), ("torch", "seed"))
"""Generators that a copied process would go on with from the same state. Python's own is seeded anew by itself."""


def serve(agent: Agent, limits: tuple[float, int, int], asker: socket.socket) -> NoReturn:
    """For each call that is asked for make a warden, until the asker has gone and all wardens have ended.

    ``limits``: seconds, MiB of memory, MiB of a file.
    """
    os.setsid()
    _forget_the_asker(asker.fileno())
    while (call := socket.recv_fds(asker, 1, _ENDS))[0]:
        ends = call[1]
        try:
            _warden.forked(partial(_guard, agent, limits, asker, ends))
        except OSError as error:
            _warden.tell(ends[-1], "failed", str(error))
        for number in ends:
            os.close(number)
    with suppress(ChildProcessError):
        while True:
            os.wait()
    os._exit(os.EX_OK)


def _forget_the_asker(kept: int) -> None:
    """Be a process of its own: no handler, no output and no connection of the one that this is a copy of."""
    for name in signal.valid_signals():
        if callable(signal.getsignal(name)):
            signal.signal(name, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # wardens are not waited for
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in map(int, os.listdir("/dev/fd")):  # noqa: PTH208  # numbers, not paths
        with suppress(OSError):  # the folder's own, closed by now
            # Not closed: what the agent still takes for its connection must not become one of ours.
            if number <= _LAST_STREAM or (number != kept and _is_connection(number)):
                os.dup2(nothing, number, inheritable=number <= _LAST_STREAM)
    gc.freeze()  # a collection in a copy would copy all that it looks at


def _is_connection(number: int) -> bool:
    mode = os.fstat(number).st_mode
    return stat.S_ISSOCK(mode) or stat.S_ISFIFO(mode)


def _guard(agent: Agent, limits: tuple[float, int, int], asker: socket.socket, ends: list[int]) -> None:
    asker.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    *pipes, line = ends
    _warden.guard(line, lambda telling: _work(agent, limits, pipes, telling))


def _work(agent: Agent, limits: tuple[float, int, int], pipes: list[int], telling: int) -> NoReturn:
    """Call the agent, send what comes of it, and end."""
    os.close(telling)
    question, output, complaints, answer = pipes
    os.dup2(output, 1)
    os.dup2(complaints, 2)
    os.close(output)
    os.close(complaints)
    for number in (question, answer):
        os.set_inheritable(number, False)
    _speak_here()
    _start_afresh()
    _keep_within(*limits)
    here = os.getpid()
    with os.fdopen(question, "rb") as asking:
        asked = asking.read()
    sent = _called(agent, asked)
    if os.getpid() == here:  # and no copy that the agent made and let go on
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):  # the agent closed it
                stream.flush()
        with os.fdopen(answer, "wb") as told:
            told.write(sent)
    os._exit(os.EX_OK)


def _called(agent: Agent, asked: bytes) -> bytes:
    try:
        call = decode(Call, parse(asked.decode("utf-8", "surrogatepass")))
        answer = agent.answer(call)
        if inspect.isawaitable(answer):
            answer = asyncio.run(_awaited(answer))
        if not isinstance(answer, Trajectory):
            message = f"answer() of an agent returns a Trajectory, not {kind_of(answer)}"
            raise TypeError(message)
        return ANSWERED + _json(settled(answer, AgentIdentity()))
    except BaseException as error:  # noqa: BLE001  # whatever an agent raises is a result
        return RAISED + _described(error)


async def _awaited(answer: Awaitable[Trajectory]) -> Trajectory:
    return await answer


def _described(error: BaseException) -> bytes:
    try:
        return _json(raised(error))
    except BaseException:  # noqa: BLE001  # an exception that cannot even be looked at
        return _json(Raised(kinds=(f"builtins.{type(error).__name__}",), message="what it says cannot be read"))


def _json(value: object) -> bytes:
    return canonical(encode(value)).encode("utf-8", "surrogatepass")


def _speak_here() -> None:
    """Print and log to this process's own output; pytest had put others in their place."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = os.fdopen(number, "w", 1, "utf-8", "backslashreplace", closefd=False)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(_LOG_FORMAT))
    logging.getLogger().handlers = [handler]
    faulthandler.enable(2)


def _start_afresh() -> None:
    """Let no two calls draw the same random numbers: their repeats would be copies."""
    for module, seed in _RANDOM:
        if module in sys.modules:
            anew: Callable[[], object] = getattr(sys.modules[module], seed)
            anew()


def _keep_within(seconds: float, memory: int, file: int) -> None:
    # What is mapped without being used is no memory; only Linux tells the two apart.
    used = resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS
    for limit, most in (
        (used, memory * _MIB),
        (resource.RLIMIT_FSIZE, file * _MIB),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_CPU, math.ceil(seconds + _warden.GRACE) * (os.cpu_count() or 1)),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(limit)[1]
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with suppress(ValueError, OSError):  # a system that does not limit this
            resource.setrlimit(limit, (value, value))
