"""Agents that tell how they are called, orders for an engine, and a clock that is moved by hand."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from pytest_agenteval.contracts import Call
from pytest_agenteval.model.case import Case
from pytest_agenteval.pipeline.coming import Order, Source


class HandClock:
    """A clock that is moved by sleeping on it, and notes each wait."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 24, 9, tzinfo=UTC)
        self.waits: list[float] = []

    def now(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.at += timedelta(seconds=seconds)

    async def pause(self, seconds: float) -> None:
        self.sleep(seconds)


class Counting:
    """Agents that count their own calls; each waits until ``crowd`` of them are under way, or in vain."""

    def __init__(self, crowd: int = 1) -> None:
        self._crowd, self._lock = crowd, threading.Lock()
        self._is_crowded = threading.Event()
        self.begun = self.now = self.peak = 0

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self._lock:
            self.begun += 1
            self.now += 1
            self.peak = max(self.peak, self.now)
            if self.now >= self._crowd:
                self._is_crowded.set()
        try:
            yield
        finally:
            with self._lock:
                self.now -= 1

    def blocking(self, text: str) -> str:
        with self._counted():
            self._is_crowded.wait(2)
            time.sleep(0.001)  # whoever is let in too early has the time to be counted
        return text

    async def later(self, text: str) -> str:
        with self._counted():
            for _ in range(2000):
                if self._is_crowded.is_set():
                    break
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.001)
        return text


def orders(n: int, source: Source | None = ("agent", 1), *, first: int = 0) -> list[Order]:
    """Orders whose inputs are their numbers."""
    return [Order(f"t{k}", Call(case=Case(id=f"c{k}", input=f"{k}")), source) for k in range(first, first + n)]


def wait_until(holds: Callable[[], bool], seconds: float = 5) -> bool:
    """Whether it comes to hold within the seconds."""
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.002)
    return True
