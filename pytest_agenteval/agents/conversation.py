"""One call of an agent in a process of its own, as the asker holds it: the question, what is heard, the time limit."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from pytest_agenteval.agents import _warden

_CHUNK = 64 * 1024
_LAST_WORDS = 0.2
"""Seconds to read what the ended had written."""
_ENDING = _warden.GRACE + _warden.KILLING + 0.2
"""Seconds that the warden is given to end them; with the last words less than 2, whatever the agent does."""


class Kept:
    """Keeps the last ``most`` bytes of what is heard."""

    def __init__(self, most: int) -> None:
        self._most, self._length, self.kept = most, 0, bytearray()

    @property
    def is_too_much(self) -> bool:
        """Whether more was said than is kept."""
        return self._length > self._most

    def __call__(self, chunk: bytes) -> None:
        """Hear this."""
        self._length += len(chunk)
        self.kept += chunk
        del self.kept[: -self._most]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a call ended. ``status`` is the worker's, negative for a signal, None where nobody saw it end.

    ``failed`` says why it could not begin, ``left`` names the processes that could not be ended.
    """

    in_time: bool
    status: int | None = None
    failed: str = ""
    left: str = ""

    def in_words(self) -> str:
        """'ended with status 3'.

        >>> Ending(in_time=True, status=-9).in_words()
        'was ended by signal 9 (Killed)'
        """
        if self.status is None:
            return "was ended together with the process that watches it"
        if self.status >= 0:
            return f"ended with status {self.status}"
        return f"was ended by signal {-self.status} ({signal.strsignal(-self.status)})"

    def too_late(self, seconds: float) -> str:
        """'did not answer within 60 s', and which processes could not be ended."""
        left = f"; these of its processes could not be ended: {self.left}" if self.left else ""
        return f"did not answer within {seconds:g} s{left}"


class Conversation:
    """The asker's ends of all pipes to one worker and its warden, served by the thread that asks.

    ``far_ends`` are the other ends, which the warden is to be given: the question's, one for each of
    ``hearers``, and last the line.
    """

    def __init__(self, asked: bytes, *hearers: Callable[[bytes], object]) -> None:
        self.line, far_line = socket.socketpair()
        self._asked, self._told = memoryview(asked), bytearray()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self.line, selectors.EVENT_READ, self._read)
        self._hearers: dict[int, Callable[[bytes], object]] = {self.line.fileno(): self._told.extend}
        far_question, self._question = os.pipe()
        os.set_blocking(self._question, False)
        self._selector.register(self._question, selectors.EVENT_WRITE, self._write)
        self.far_ends = [far_question]
        for hear in hearers:
            ear, mouth = os.pipe()
            self._selector.register(ear, selectors.EVENT_READ, self._read)
            self._hearers[ear] = hear
            self.far_ends.append(mouth)
        self.far_ends.append(far_line.detach())

    def __enter__(self) -> Conversation:
        return self

    def __exit__(self, *_: object) -> None:
        """Close all ends: a warden that still works ends its worker then."""
        self.let_go()
        for key in list(self._selector.get_map().values()):
            self._forget(key.fd)
        self._selector.close()
        self.line.close()

    def let_go(self) -> None:
        """The far ends are the warden's now."""
        while self.far_ends:
            os.close(self.far_ends.pop())

    def hold(self, seconds: float, *, patience: float = 0, enough: Callable[[], bool] = lambda: False) -> Ending:
        """Serve the worker until it has ended; it is made to at the time limit, and where ``enough`` was heard.

        ``patience``: seconds that its descendants may go on to speak after it. None is left after this.
        """
        self.let_go()
        in_time = self._serve(seconds, lambda: bool(self._told) or self._is_shut or enough())
        if self._told:
            self._serve(patience, lambda: not self._is_heard or enough())
        with suppress(OSError):  # the warden itself was ended
            self.line.shutdown(socket.SHUT_WR)
        self._serve(_ENDING, lambda: self._is_shut)
        self._serve(_LAST_WORDS, lambda: not self._is_heard)
        return self._ending(in_time=in_time)

    def _ending(self, *, in_time: bool) -> Ending:
        lines = self._told.decode("utf-8", "replace").splitlines()
        told = {word: text for word, _, text in (line.partition(" ") for line in lines)}
        status = told.get("ended")
        return Ending(
            in_time=in_time,
            status=int(status) if status else None,
            failed=told.get("failed", ""),
            left=told.get("left", ""),
        )

    @property
    def _is_shut(self) -> bool:
        return self.line.fileno() not in self._selector.get_map()

    @property
    def _is_heard(self) -> bool:
        return bool(self._hearers.keys() - {self.line.fileno()})

    def _serve(self, seconds: float, done: Callable[[], bool]) -> bool:
        """Move what can be moved until ``done``; False where the seconds are over before."""
        until = time.monotonic() + seconds
        while not done():
            left = until - time.monotonic()
            if left <= 0:
                return False
            for key, _ in self._selector.select(left):
                key.data(key.fd)
        return True

    def _write(self, number: int) -> None:
        try:
            self._asked = self._asked[os.write(number, self._asked[:_CHUNK]) :]
        except BrokenPipeError:  # it does not want to hear it all
            self._asked = self._asked[:0]
        if not self._asked:
            self._forget(number)

    def _read(self, number: int) -> None:
        chunk = os.read(number, _CHUNK)
        self._hearers[number](chunk)
        if not chunk:
            self._forget(number)

    def _forget(self, number: int) -> None:
        self._selector.unregister(number)
        self._hearers.pop(number, None)
        if number != self.line.fileno():
            os.close(number)
