"""What is printed and logged during a call, kept with the call that said it."""

from __future__ import annotations

from contextvars import ContextVar

_MOST = 1_000_000
"""Characters kept of one call."""

_ORDER = ("stdout", "stderr", "log")


class Heard:
    """What one call wrote, by where it wrote: ``stdout``, ``stderr`` or ``log``."""

    __slots__ = ("_length", "_parts")

    def __init__(self) -> None:
        self._parts: list[tuple[str, str]] = []
        self._length = 0

    def write(self, where: str, text: str) -> None:
        """Keep the text; of a flood, the beginning."""
        if self._length < _MOST:
            self._parts.append((where, text[: _MOST - self._length]))
            self._length += len(text)
            if self._length >= _MOST:
                self._parts.append((where, f"\n… cut after {_MOST:,} characters\n"))

    def sections(self) -> list[tuple[str, str]]:
        """Where it was written, and all of it, as pytest tells it: the log last, without its last line's end."""
        joined: dict[str, list[str]] = {}
        for where, text in self._parts:
            joined.setdefault(where, []).append(text)
        whole = [(where, "".join(joined[where])) for where in _ORDER if where in joined]
        return [(where, text.strip() if where == "log" else text) for where, text in whole]


HEARD: ContextVar[Heard | None] = ContextVar("heard", default=None)
"""Who is speaking in this context: the call under way, or nobody we know."""
