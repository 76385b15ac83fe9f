"""One event loop in a thread of its own, for all async agents of a session."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Hashable
from contextvars import Context
from functools import partial
from typing import Any, TypeVar

from pytest_agenteval.pipeline.faults import as_error

_T = TypeVar("_T")


class LoopThread:
    """Runs coroutines that other threads hand over. A daemon: a call that hangs holds nobody up."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._handed: deque[tuple[Hashable, Coroutine[Any, Any, None], Context, Callable[[], object]]] = deque()
        self._is_told = self._is_ending = False
        self._tasks: dict[Hashable, asyncio.Task[None]] = {}
        threading.Thread(target=self._serve, name="agenteval-loop", daemon=True).start()

    def start(
        self, name: Hashable, coroutine: Coroutine[Any, Any, None], context: Context, lost: Callable[[], object]
    ) -> None:
        """Run it as a task of that name, in that context; ``lost`` tells on the loop that it was cancelled."""
        self._handed.append((name, coroutine, context, lost))
        if not self._is_told:  # waking a loop is a call of the system: one is enough for many
            self._is_told = True
            self._loop.call_soon_threadsafe(self._take)

    def result(self, coroutine: Coroutine[Any, Any, _T], seconds: float) -> _T:
        """What a coroutine comes to, for a thread that waits; raises TimeoutError after the seconds."""

        async def wait() -> _T:
            try:
                async with asyncio.timeout(seconds):
                    return await coroutine
            except (SystemExit, KeyboardInterrupt) as error:  # would leave the loop
                raise as_error(error) from error

        return asyncio.run_coroutine_threadsafe(wait(), self._loop).result()

    def cancel(self, name: Hashable, ended: Callable[[], None]) -> None:
        """Cancel the task of that name, and tell on the loop when it has ended; it may never have begun."""

        def cancel() -> None:
            task = self._tasks.get(name)
            if task is not None:
                task.add_done_callback(lambda _: ended())
                task.cancel()
            else:
                ended()

        with contextlib.suppress(RuntimeError):  # it is closed
            self._loop.call_soon_threadsafe(cancel)

    def stop(self) -> None:
        """Cancel all tasks, and end the thread when they have ended."""
        with contextlib.suppress(RuntimeError):  # it is closed
            self._loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        self._is_ending = True
        self._loop.stop()

    def _take(self) -> None:
        self._is_told = False
        while self._handed:
            name, coroutine, context, lost = self._handed.popleft()
            task = self._tasks[name] = self._loop.create_task(coroutine, context=context)
            task.add_done_callback(partial(self._forget, name, lost))

    def _forget(self, name: Hashable, lost: Callable[[], object], task: asyncio.Task[None]) -> None:
        self._tasks.pop(name, None)
        if task.cancelled():
            lost()

    def _serve(self) -> None:
        loop = self._loop
        asyncio.set_event_loop(loop)
        while not self._is_ending:
            # An agent may stop the loop, or leave it by SystemExit; the others still wait for their answers.
            with contextlib.suppress(SystemExit, KeyboardInterrupt):
                loop.run_forever()
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.wait(tasks))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
