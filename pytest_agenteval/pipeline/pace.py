"""How long calls take, to tell those that are not worth a thread of their own."""

from __future__ import annotations

from collections import deque

_QUICK = 0.0005
"""Seconds."""


class Pace:
    """Whether calls take so little that handing them to several threads costs more than making them."""

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=9)
        self.is_quick = False

    def note(self, seconds: float) -> None:
        """A call took so long. The median counts: a thread may lose its turn in the middle of a call."""
        self._recent.append(seconds)
        self.is_quick = len(self._recent) == self._recent.maxlen and sorted(self._recent)[4] < _QUICK

    def forget(self) -> None:
        """It was otherwise just now."""
        self._recent.clear()
        self.is_quick = False
