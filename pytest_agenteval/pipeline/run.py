"""Call the agent on a case, and make a trial of whatever comes of it. The one stage that is not pure."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, Protocol, cast

from pytest_agenteval.contracts import Agent, Call
from pytest_agenteval.errors import InfrastructureError
from pytest_agenteval.model.answer import kind_of, settled
from pytest_agenteval.model.trajectory import AgentIdentity, Fault, Trajectory
from pytest_agenteval.model.trial import Trial

_PASSING_STATUS = frozenset({408, 425, 429})
_SERVER_ERRORS = range(500, 600)  # a ``code`` beyond is no status of HTTP
_LONGEST_MESSAGE = 2000
_GIVES_UP_AFTER = 3


class Clock(Protocol):
    """Where times come from; a test hands in its own."""

    def now(self) -> datetime:
        """The aware UTC instant."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The machine's clock."""

    # Bound when the module is read: an agent that patches these in the process does not move our times.
    _now, _sleep = datetime.now, time.sleep

    def now(self) -> datetime:
        """The aware UTC instant."""
        return SystemClock._now(UTC)

    def sleep(self, seconds: float) -> None:
        """Wait."""
        SystemClock._sleep(seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLimits:
    """How long a trial may take, and how often a failing provider is asked again.

    ``infrastructure`` names further exceptions (``package.Error``) that are the provider's and not the
    agent's. The wait doubles from ``backoff`` seconds; a provider's Retry-After goes first, and no wait
    is longer than ``longest_wait``.
    """

    seconds: float = 60.0
    retries: int = 2
    backoff: float = 0.5
    longest_wait: float = 30.0
    infrastructure: tuple[str, ...] = ()


class Engine:
    """Calls agents: async ones on one event loop in its own thread, blocking ones in a kept thread.

    >>> from pytest_agenteval.agents import adapt
    >>> from pytest_agenteval.model.case import Case
    >>> with Engine() as engine:
    ...     trial = engine.trial("t1", adapt(lambda text: text.upper()), Call(case=Case(id="a", input="hello")))
    >>> trial.output
    'HELLO'
    """

    def __init__(self, limits: CallLimits | None = None, clock: Clock | None = None) -> None:
        self._limits = limits or CallLimits()
        self._clock = clock or SystemClock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._worker: _Worker | None = None
        self._unreached = 0

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the threads. A call that hangs is left behind: a thread cannot be killed."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._loop = None
        if self._worker is not None:
            self._worker.stop()
            self._worker = None

    def trial(self, trial_id: str, agent: Agent, call: Call) -> Trial:
        """The finished trial: what the agent did, or the fault that kept it from an answer."""
        at = self._clock.now()
        case, trajectory, retries = call.case, None, 0
        # A provider that was down for several trials in a row is asked once a trial until it answers again.
        allowed = self._limits.retries if self._unreached < _GIVES_UP_AFTER else 0
        while trajectory is None:
            try:
                case = agent.asked(call)
                at = agent.begun(call) or at
                trajectory = self._answer(agent, replace(call, case=case))
            except Exception as error:  # noqa: BLE001  # whatever an agent raises is a result
                fault = self._fault(error)
                if fault.kind == "infrastructure" and retries < allowed and is_passing(error):
                    self._clock.sleep(self._wait(error, retries))
                    retries += 1
                    continue
                # A time-out took at least its limit: latency must not look better for it.
                limit = self._limits.seconds if isinstance(error, _TimeLimit) else None
                trajectory = Trajectory(error=fault, agent=agent.identity, seconds=limit)
        down = trajectory.error is not None and trajectory.error.kind == "infrastructure"
        self._unreached = self._unreached + 1 if down else 0
        return Trial(
            id=trial_id,
            case=case,
            trajectory=trajectory,
            origin=agent.origin,
            attempt=call.attempt,
            retries=retries,
            at=at,
        )

    def _answer(self, agent: Agent, call: Call) -> Trajectory:
        begun, identity = monotonic(), agent.identity
        # Made plain where the time limit holds: an agent of somebody else's may hand over anything.
        answer = self._blocking(lambda: _plain(agent.answer(call), identity))
        if inspect.isawaitable(answer):
            answer = self._awaited(answer, identity, self._limits.seconds - (monotonic() - begun))
        trajectory = cast(Trajectory, answer)
        if trajectory.seconds is None and agent.origin == "live":
            trajectory = replace(trajectory, seconds=monotonic() - begun)
        return trajectory

    def _blocking(self, act: Callable[[], Any]) -> Any:  # noqa: ANN401  # whatever the agent returns
        if self._worker is None:
            self._worker = _Worker()
        try:
            good, result = self._worker.run(act, self._limits.seconds)
        except Empty:
            self._worker = None  # its thread hangs in the agent: the next call gets a new one
            raise _TimeLimit(self._limits.seconds) from None
        if good:
            return result
        raise result

    def _awaited(self, answer: Awaitable[object], identity: AgentIdentity, seconds: float) -> object:
        future = asyncio.run_coroutine_threadsafe(_as_coroutine(answer, identity), self._running_loop())
        try:
            return future.result(max(seconds, 0.001))
        except TimeoutError:
            if future.done():
                raise  # the agent's own TimeoutError
            future.cancel()
            raise _TimeLimit(self._limits.seconds) from None

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            loop = self._loop = asyncio.new_event_loop()
            threading.Thread(target=_serve, args=(loop,), name="agenteval-loop", daemon=True).start()
        return self._loop

    def _fault(self, error: Exception) -> Fault:
        kind = "infrastructure" if is_infrastructure(error, self._limits.infrastructure) else "agent"
        text = str(error)[:_LONGEST_MESSAGE] or type(error).__name__
        name = type(error).__name__.lstrip("_")
        return Fault(kind=cast(Any, kind), type=name, message=text, where=_place_of(error))

    def _wait(self, error: Exception, retries: int) -> float:
        wait: float = self._limits.backoff * 2**retries
        asked = getattr(error, "retry_after", None)
        if isinstance(asked, int | float) and asked >= 0:
            wait = float(asked)
        return min(wait, self._limits.longest_wait)


def is_infrastructure(error: BaseException, named: tuple[str, ...] = ()) -> bool:
    """Whether the exception is the provider's: then the trial is not evaluated, and never a score.

    These are InfrastructureError, connection errors, whatever carries the status 408, 425, 429 or 5xx
    (as ``status``, ``status_code`` or ``code``, also of its ``response``), and what ``named`` lists.

    >>> is_infrastructure(ConnectionResetError()), is_infrastructure(ValueError())
    (True, False)
    """
    if isinstance(error, InfrastructureError | ConnectionError):
        return True
    names = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__}
    return bool(names & set(named)) or _passing_status(error)


def is_passing(error: BaseException) -> bool:
    """Whether asking again may help; a replay that holds nothing will hold nothing a second time."""
    return not getattr(error, "permanent", False)


def _passing_status(error: BaseException) -> bool:
    for source in (error, getattr(error, "response", None)):
        for name in ("status_code", "status", "code"):
            status = getattr(source, name, None)
            if isinstance(status, int) and (status in _PASSING_STATUS or status in _SERVER_ERRORS):
                return True
    return False


def _place_of(error: BaseException) -> str:
    """'conftest.py:12 in agent', the innermost line that is not ours; the folder is of no use elsewhere."""
    place, step = "", error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        if not str(step.tb_frame.f_globals.get("__name__", "")).startswith(("pytest_agenteval.", "concurrent.")):
            place = f"{Path(code.co_filename).name}:{step.tb_lineno} in {code.co_name}"
        step = step.tb_next
    return place


class _TimeLimit(Exception):  # named for what the user reads
    def __init__(self, seconds: float) -> None:
        super().__init__(f"no answer within {seconds:g} s, the trial's time limit (setting agent_timeout)")


class _Worker:
    """One kept daemon thread: handing a call over costs less than starting a thread for it."""

    def __init__(self) -> None:
        self._tasks: SimpleQueue[tuple[Callable[[], Any], SimpleQueue[tuple[bool, Any]]] | None] = SimpleQueue()
        threading.Thread(target=self._serve, name="agenteval-agent", daemon=True).start()

    def run(self, act: Callable[[], Any], seconds: float) -> tuple[bool, Any]:
        """True and what ``act`` returns, or False and what it raises; raises queue.Empty after ``seconds``."""
        context = contextvars.copy_context()
        answers: SimpleQueue[tuple[bool, Any]] = SimpleQueue()
        self._tasks.put((lambda: context.run(act), answers))
        return answers.get(timeout=seconds)

    def stop(self) -> None:
        self._tasks.put(None)

    def _serve(self) -> None:
        while (task := self._tasks.get()) is not None:
            act, answers = task
            try:
                answers.put((True, act()))
            except Exception as error:  # noqa: BLE001  # handed to the caller
                answers.put((False, error))
            except BaseException as error:  # noqa: BLE001  # SystemExit in an agent must not end the session
                answers.put((False, _raised(error)))


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    stopped = False
    while not stopped:
        # A SystemExit in a task of the agent's own leaves the loop; the others still wait for their answers.
        with contextlib.suppress(SystemExit, KeyboardInterrupt):
            loop.run_forever()
            stopped = True
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


def _plain(answer: object, identity: AgentIdentity) -> object:
    """The trajectory in plain values; what is still to be awaited stays."""
    if inspect.isawaitable(answer):
        return answer
    if not isinstance(answer, Trajectory):
        message = f"answer() of an agent returns a Trajectory, not {kind_of(answer)}"
        raise TypeError(message)
    return settled(answer, identity)


def _as_coroutine(answer: Awaitable[object], identity: AgentIdentity) -> Coroutine[Any, Any, object]:
    async def wait() -> object:
        try:
            return _plain(await answer, identity)
        except (SystemExit, KeyboardInterrupt) as error:
            raise _raised(error) from error

    return wait()


def _raised(error: BaseException) -> RuntimeError:
    """An exit that an agent asked for is its error, and must not end the session."""
    return RuntimeError(f"the agent raised {type(error).__name__}: {error}")
