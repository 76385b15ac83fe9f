"""How many calls and tokens a provider allows a minute."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import Lock
from time import monotonic

_MINUTE = 60.0


class Rates:
    """Lets a call begin when the last minute leaves room for it; None is no limit.

    Tokens are known when a call has ended: what is under way may go over by as much as it takes.
    """

    def __init__(
        self, requests: float | None = None, tokens: float | None = None, now: Callable[[], float] = monotonic
    ) -> None:
        self._now, self._lock = now, Lock()
        self._requests, self._tokens = _Window(requests), _Window(tokens)

    def wait(self) -> float:
        """Seconds until a call may begin; 0 where it may now, and is then counted."""
        if self._requests.limit is None and self._tokens.limit is None:
            return 0.0
        with self._lock:
            now = self._now()
            wait = max(self._requests.wait(now, 1), self._tokens.wait(now, 0))
            if wait == 0:
                self._requests.add(now, 1)
            return wait

    def spent(self, tokens: int | None) -> None:
        """Count the tokens of a call that has ended."""
        if tokens and self._tokens.limit is not None:
            with self._lock:
                self._tokens.add(self._now(), tokens)


class _Window:
    """What was counted in the last minute, or in the span that holds one where a minute does not."""

    def __init__(self, limit: float | None) -> None:
        # A part of a minute's limit may be less than one: then one in so many minutes.
        self.limit = None if limit is None else max(limit, 1.0)
        self._span = _MINUTE if limit is None else _MINUTE * max(1 / limit, 1.0)
        self._events: deque[tuple[float, float]] = deque()
        self._sum = 0.0

    def add(self, now: float, amount: float) -> None:
        if self.limit is not None:
            self._events.append((now, amount))
            self._sum += amount

    def wait(self, now: float, more: float) -> float:
        """Seconds until there is room for ``more``; for 0, until there is any."""
        if self.limit is None:
            return 0.0
        while self._events and self._events[0][0] <= now - self._span:
            self._sum -= self._events.popleft()[1]
        over, free_at = self._sum + more - self.limit, now
        for at, amount in self._events:
            if over < 0 or (over == 0 and more):
                break
            over, free_at = over - amount, at + self._span
        return free_at - now
