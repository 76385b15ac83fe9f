"""Where times come from."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where times come from; a test hands in its own."""

    def now(self) -> datetime:
        """The aware UTC instant."""

    def sleep(self, seconds: float) -> None:
        """Wait."""

    async def pause(self, seconds: float) -> None:
        """Wait on an event loop."""


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

    async def pause(self, seconds: float) -> None:
        """Wait on an event loop."""
        import asyncio  # there already, where a loop runs; dear where none does

        await asyncio.sleep(seconds)
