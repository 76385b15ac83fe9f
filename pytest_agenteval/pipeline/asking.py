"""How an agent is asked, in a thread or on the event loop; what it answers is made plain where its time limit holds."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Generator
from time import monotonic
from typing import TYPE_CHECKING, cast

from pytest_agenteval.contracts import Agent, Call
from pytest_agenteval.model.answer import kind_of, settled
from pytest_agenteval.model.trajectory import AgentIdentity, Trajectory
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.pipeline.clock import Clock
from pytest_agenteval.pipeline.faults import TimeLimit, as_error

if TYPE_CHECKING:
    from pytest_agenteval.pipeline.loop import LoopThread

Course = Generator[float | Call, Trajectory | None, Trial | None]
"""What is done for a trial, step by step: a number is a wait in seconds, a call is to be asked of the agent."""


def follow(
    course: Course, ask: Callable[[Call], Trajectory], clock: Clock, catch: type[BaseException] = BaseException
) -> Trial | None:
    """Follow the course in this thread; what ``ask`` raises of the kind ``catch`` is told to the course."""
    try:
        step = next(course)
        while True:
            if not isinstance(step, Call):
                clock.sleep(step)
                step = course.send(None)
                continue
            try:
                answer = ask(step)
            except catch as raised:
                step = course.throw(as_error(raised))
            else:
                step = course.send(answer)
    except StopIteration as end:
        return cast("Trial | None", end.value)


async def follow_on_loop(course: Course, ask: Callable[[Call], Awaitable[Trajectory]], clock: Clock) -> Trial | None:
    """The same on an event loop."""
    try:
        step = next(course)
        while True:
            if not isinstance(step, Call):
                await clock.pause(step)
                step = course.send(None)
                continue
            try:
                answer = await ask(step)
            except BaseException as raised:  # noqa: BLE001  # SystemExit in an agent must not end the session
                step = course.throw(as_error(raised))
            else:
                step = course.send(answer)
    except StopIteration as end:
        return cast("Trial | None", end.value)


def ask_here(agent: Agent, call: Call, seconds: float, loop: Callable[[], LoopThread]) -> Trajectory:
    """What the agent answers; what a blocking agent leaves to be awaited is awaited on the loop."""
    begun = monotonic()
    answer: object = agent.answer(call)
    if inspect.isawaitable(answer):
        left = max(seconds - (monotonic() - begun), 0.001)
        try:
            return loop().result(_settled(answer, agent.identity), left)
        except TimeoutError as error:
            raise (TimeLimit(seconds) if monotonic() - begun >= seconds else error) from None
    return _plain(answer, agent.identity)


async def ask_on_loop(agent: Agent, call: Call, seconds: float) -> Trajectory:
    """What an async agent answers within the seconds."""
    from asyncio import timeout  # dear where no loop runs

    try:
        async with timeout(seconds) as limit:
            return await _settled(agent.answer(call), agent.identity)
    except TimeoutError:
        if limit.expired():
            raise TimeLimit(seconds) from None
        raise  # the agent's own


async def _settled(answer: object, identity: AgentIdentity) -> Trajectory:
    return _plain(await answer if inspect.isawaitable(answer) else answer, identity)


def _plain(answer: object, identity: AgentIdentity) -> Trajectory:
    """The trajectory in plain values: an agent of somebody else's may hand over anything."""
    if not isinstance(answer, Trajectory):
        message = f"answer() of an agent returns a Trajectory, not {kind_of(answer)}"
        raise TypeError(message)
    return settled(answer, identity)
