"""Kept threads, in which blocking agents are called."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import Context
from queue import SimpleQueue

from pytest_agenteval.pipeline.coming import Order


class Threads:
    """Daemons that ``make`` what they are handed, each in its context. Their owner holds a lock when calling these.

    ``make`` says False where its thread has been left behind: that ends it.
    """

    def __init__(self, make: Callable[[Order, Context], bool]) -> None:
        self._make, self._n = make, 0
        self._inbox: SimpleQueue[tuple[Order, Context] | None] = SimpleQueue()
        self._here = threading.local()

    def hand(self, order: Order, turn: Context, wanted: int) -> None:
        """Hand it over; there should be ``wanted`` threads. Raises RuntimeError where the system gives none at all."""
        if getattr(self._here, "next", order) is None:
            # One of them that is done just now goes on with it: to wake another costs more than a quick call.
            self._here.next = (order, turn)
            return
        if self._n < wanted:
            self._add()
        self._inbox.put((order, turn))

    def leave_one(self) -> None:
        """One of them is not counted on any more: a thread cannot be ended from outside."""
        self._n -= 1

    def close(self) -> None:
        """End those that have nothing to do."""
        for _ in range(self._n):
            self._inbox.put(None)

    def _add(self) -> None:
        try:
            threading.Thread(target=self._serve, name="agenteval-agent", daemon=True).start()
        except RuntimeError:
            if self._n == 0:
                raise
            return  # those that are there make it, one after the other
        self._n += 1

    def _serve(self) -> None:
        handed = self._inbox.get()
        while handed is not None:
            self._here.next = None
            stays = handed[1].run(self._make, *handed)
            handed = self._here.next
            if not stays:
                if handed is not None:
                    self._inbox.put(handed)
                return
            if handed is None:
                handed = self._inbox.get()
