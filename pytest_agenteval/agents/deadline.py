"""Ends the connections whose time is over. One thread does it for all: a timer a call is a thread a call."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress

_POLL_SECONDS = 0.05
_IDLE_SECONDS = 5.0
"""How long the thread stays when there is nothing to watch."""


class Deadlines:
    """The sockets in use and when each is cut. From any thread."""

    def __init__(self) -> None:
        self._due: dict[socket.socket, float] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @contextmanager
    def cut(self, connected: socket.socket, ends: float) -> Generator[None]:
        """Within, the socket is shut down when the monotonic clock has come to ``ends``."""
        with self._lock:
            self._due[connected] = ends
            if self._thread is None or not self._thread.is_alive():  # none lives on in a forked process
                self._thread = threading.Thread(target=self._watch, name="agenteval-deadlines", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._due.pop(connected, None)

    def _watch(self) -> None:
        used = time.monotonic()
        while True:
            time.sleep(_POLL_SECONDS)
            with self._lock:
                now = time.monotonic()
                used = now if self._due else used
                if now - used > _IDLE_SECONDS:
                    self._thread = None
                    return
                for connected in [one for one, ends in self._due.items() if ends <= now]:
                    del self._due[connected]
                    _shut(connected)


def _shut(connected: socket.socket) -> None:
    with suppress(OSError):  # it is closed already
        # Not SSLSocket.shutdown, which takes the TLS layer away from under the thread that reads.
        socket.socket.shutdown(connected, socket.SHUT_RDWR)
