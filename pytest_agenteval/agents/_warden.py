"""A warden stands between whoever asks and a process that may not outlive its call, and ends that with all it started.

::

    asker ── line ── warden ── attendant ── worker ── whatever it starts

The worker is what is asked. On Linux a descendant whose parent has ended becomes the warden's child, whatever session
or group it went to: so the warden ends its children until it has none. Elsewhere it ends the attendant's group. The
attendant only waits: a worker that ends its parent does not end the warden by that.

The warden writes on its line ``ended STATUS`` (negative: the signal; nothing where nobody saw it) or
``failed REASON`` when the worker is over, and last ``left PID…`` where it could not end some. It ends what is left
when the line is shut, at once after the worker and with a grace before: so also when the asker is gone.

Run by its path it is the warden of a command (``_warden.py LINE WORD…``); so it needs the standard library alone.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress

GRACE = 1.0
"""Seconds between the request to end and the end."""
KILLING = 0.5
"""Seconds that ending all of them may take."""

_LIBC = ctypes.CDLL(None)
_DIE_WITH_PARENT, _ADOPT_ORPHANS = 1, 36  # PR_SET_PDEATHSIG and PR_SET_CHILD_SUBREAPER


def forked(act: Callable[[], object]) -> int:
    """The id of a copy of this process that does this, and then ends: it never returns from here."""
    pid = os.fork()
    if pid:
        return pid
    try:
        act()
    finally:
        os._exit(os.EX_SOFTWARE)  # whoever did not end itself by now has failed


def die_with(parent: int) -> None:
    """End when the parent ends, where the system can; the parent's thread that forked this one counts."""
    _control(_DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:  # it has ended since
        os._exit(os.EX_SOFTWARE)


def tell(line: int, word: str, text: str) -> None:
    """Write one message on the line, if anybody listens."""
    with suppress(OSError):
        os.write(line, f"{word} {' '.join(text.splitlines())}\n".encode("utf-8", "replace"))


def guard(line: int, work: Callable[[int], object]) -> None:
    """Have ``work`` done by a process of its own. After this there is neither that nor any that it started.

    ``work`` is given a descriptor on which it can ``tell`` that it failed to begin; it ends its process itself.
    """
    _control(_ADOPT_ORPHANS, 1)
    news, telling = os.pipe()
    warden = os.getpid()
    attendant = forked(lambda: _attend(work, warden, telling, (line, news)))
    _close_all_but(line, news)  # the asker learns by their ends that the worker's pipes are closed
    listening = select.poll()
    listening.register(line, select.POLLIN)
    listening.register(news, select.POLLIN)
    if news in dict(listening.poll()):
        with suppress(OSError):
            os.write(line, os.read(news, select.PIPE_BUF) or b"ended\n")
        listening.unregister(news)
        listening.poll()
    else:
        listening.unregister(line)
        _signal_group(attendant, signal.SIGTERM)
        listening.poll(GRACE * 1000)
    if not _all_ended(attendant):
        tell(line, "left", " ".join(map(str, _children())))


def _attend(work: Callable[[int], object], warden: int, telling: int, not_ours: tuple[int, ...]) -> None:
    """Start the worker, wait for it, and tell how it ended."""
    die_with(warden)
    for number in not_ours:
        os.close(number)
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it is in the group that is asked to end
    attendant = os.getpid()

    def begin() -> None:
        die_with(attendant)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        work(telling)

    try:
        _, status = os.waitpid(forked(begin), 0)
        tell(telling, "ended", str(os.waitstatus_to_exitcode(status)))
    except OSError as error:
        tell(telling, "failed", str(error))
    os._exit(os.EX_OK)


def _all_ended(attendant: int) -> bool:
    """End all descendants; False where one could not be."""
    _signal_group(attendant, signal.SIGKILL)
    until = time.monotonic() + KILLING
    while True:
        for child in _children():
            with suppress(OSError):
                os.kill(child, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:  # those of an ended child are ours from now on
                pass
        except ChildProcessError:
            return True
        if time.monotonic() > until:
            return False
        time.sleep(0.0005)


def _children() -> list[int]:
    """The children of this process, where the system tells them."""
    here = os.getpid()
    try:
        with open(f"/proc/{here}/task/{here}/children", encoding="ascii") as told:  # noqa: PTH123  # pathlib loads long
            return [int(pid) for pid in told.read().split()]
    except OSError:
        return []


def _close_all_but(*kept: int) -> None:
    for name in os.listdir("/dev/fd"):  # noqa: PTH208  # numbers, not paths
        if int(name) not in kept:
            with suppress(OSError):  # the folder's own, closed by now
                os.close(int(name))


def _signal_group(group: int, number: signal.Signals) -> None:
    with suppress(OSError):  # nobody is left
        os.killpg(group, number)


def _control(option: int, value: int) -> None:
    if sys.platform == "linux":
        _LIBC.prctl(option, value, 0, 0, 0)


def _run(words: list[str], telling: int) -> None:
    """Become the command."""
    # Python lets these two signals pass; a command finds them as any other process does.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    try:
        os.execvp(words[0], words)
    except OSError as error:
        tell(telling, "failed", str(error))


if __name__ == "__main__":
    guard(int(sys.argv[1]), lambda telling: _run(sys.argv[2:], telling))
