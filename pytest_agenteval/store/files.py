"""Files that are whole or not there: atomic writes, appended lines, and a lock that says who holds it."""

from __future__ import annotations

import contextlib
import errno
import gzip
import hashlib
import io
import os
import re
import secrets
import socket
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pytest_agenteval.errors import IntegrityError
from pytest_agenteval.model.codec import format_time

LOCK_WAIT_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.02
_LONGEST_NAME: Final = 120
_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9_\-\[\]][A-Za-z0-9._\-\[\]]*(?<!\.)\Z")
_RESERVED_ON_WINDOWS: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|\Z)", re.IGNORECASE)


def write_atomically(path: Path, content: bytes) -> None:
    """Put the content at the path: whoever reads sees the old or the new file, whole.

    Makes the folder. Raises IntegrityError where the system refuses; the old file then stands.
    """
    _put(path, content, os.replace)


def create_atomically(path: Path, content: bytes) -> bool:
    """The same for a file that is written once: False, and nothing done, where it is there already."""
    made = True

    def link(aside: Path, path: Path) -> None:
        nonlocal made
        try:
            os.link(aside, path)
        except FileExistsError:
            made = False

    _put(path, content, link)
    return made


def append_line(path: Path, text: str) -> None:
    """Append one line and see it to the disk; lines of several processes never mix.

    A torn line that a crash has left is ended first. Raises IntegrityError where the system refuses.
    """
    with refusals_of(path, "written"):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = open_to_append(path)
        try:
            write_whole(handle, f"{text}\n".encode())
            see_to_the_disk(handle, path)
        finally:
            os.close(handle)


def open_to_append(path: Path) -> int:
    """A descriptor whose writes go to the end of the file, which then stands at the start of a line."""
    handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
    size = os.fstat(handle).st_size
    if size:
        os.lseek(handle, size - 1, os.SEEK_SET)
        if os.read(handle, 1) != b"\n":
            write_whole(handle, b"\n")
    return handle


def write_whole(handle: int, content: bytes) -> None:
    """Write all bytes: one call, and more only where the system took a part (a disk that is filling)."""
    written = os.write(handle, content)
    while written < len(content):
        written += os.write(handle, content[written:])


def see_to_the_disk(handle: int, path: Path) -> None:
    """Have the system write what it still keeps in memory. Raises IntegrityError.

    Never tried twice: after a failure the system takes what was lost for written, and a second call says all is well.
    """
    try:
        os.fsync(handle)
    except OSError as error:
        message = (
            f"durability unknown for {path}: the system could not see it to the disk: {error.strerror or error}. "
            "Look after the disk, and run again"
        )
        raise IntegrityError(message) from error


def hold(handle: int) -> None:
    """Hold the open file until it is closed, or its process is gone; on some network drives nothing can be held."""
    with contextlib.suppress(OSError):
        _try_lock(handle)


def is_held(path: Path, wait: float) -> bool:
    """Whether somebody still holds the file after ``wait`` seconds."""
    deadline = time.monotonic() + wait
    with refusals_of(path, "read"):
        handle = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
        try:
            while not _try_lock(handle):
                if time.monotonic() >= deadline:
                    return True
                time.sleep(_POLL_SECONDS)
        finally:
            os.close(handle)
    return False


def refuse_unwritable(folder: Path) -> None:
    """Raise IntegrityError where no file could be made in the folder, or the folder not be made; makes nothing."""
    there = next(place for place in (folder, *folder.parents) if place.exists())
    with refusals_of(folder, "written"):
        if not there.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, f"{there} is no folder")
        if not os.access(there, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, f"{there} may not be written")


@contextlib.contextmanager
def exclusive(path: Path, wait: float = LOCK_WAIT_SECONDS) -> Iterator[None]:
    """Hold the path's lock (a file ``.NAME.lock`` beside it, gone afterwards).

    Raises IntegrityError, which says who holds it, when ``wait`` seconds were not enough.
    """
    lock = path.with_name(f".{path.name}.lock")
    with refusals_of(lock, "locked"):
        lock.parent.mkdir(parents=True, exist_ok=True)
        handle = _locked(lock, time.monotonic() + wait)
        os.ftruncate(handle, 0)
        os.lseek(handle, 0, os.SEEK_SET)
        write_whole(handle, f"process {os.getpid()} on {socket.gethostname()} since {_now()}".encode())
    try:
        yield
    finally:
        # Removed while still held, so that nobody takes a lock that is about to vanish unseen.
        with contextlib.suppress(OSError):
            lock.unlink()
        os.close(handle)


def safe_name(text: str) -> str:
    """A name for a file or folder: the text itself where every system bears it, else a slug and a digest.

    >>> safe_name("refunds[gpt]")
    'refunds[gpt]'
    >>> safe_name("../../outside")
    'outside-e28b700f2449'
    """
    if _PLAIN_NAME.match(text) and len(text) <= _LONGEST_NAME and not _RESERVED_ON_WINDOWS.match(text):
        return text
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^A-Za-z0-9]+", "-", plain).strip("-")[:40]
    return f"{slug}-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}".lstrip("-")


def gzipped(content: bytes) -> bytes:
    """The content compressed; the same bytes for the same content, whenever it is done."""
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=packed, mode="wb", compresslevel=5, mtime=0) as stream:
        stream.write(content)
    return packed.getvalue()


@contextlib.contextmanager
def refusals_of(path: Path, what: str) -> Iterator[None]:
    """Turn what the system refuses into an IntegrityError that names the path and the cause."""
    try:
        yield
    except OSError as error:
        message = (
            f"{path} could not be {what}: {error.strerror or error}. "
            "Make room, or give a folder that may be written, and run again"
        )
        raise IntegrityError(message) from error


def _put(path: Path, content: bytes, move: Callable[[Path, Path], object]) -> None:
    aside = path.with_name(f".{path.name[:40]}-{secrets.token_hex(6)}.part")
    with refusals_of(path, "written"):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
            try:
                write_whole(handle, content)
                see_to_the_disk(handle, path)
            finally:
                os.close(handle)
            move(aside, path)
        finally:
            aside.unlink(missing_ok=True)
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """See the names in the folder to the disk, where the system can."""
    if sys.platform == "win32":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        see_to_the_disk(handle, folder)
    finally:
        os.close(handle)


def _locked(lock: Path, deadline: float) -> int:
    """A descriptor of the lock file that is locked, and still the file of that name."""
    while True:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        if _try_lock(handle) and _is_still(lock, handle):
            return handle
        holder = os.pread(handle, 200, 0).decode("utf-8", "replace") if hasattr(os, "pread") else ""
        os.close(handle)
        if time.monotonic() >= deadline:
            message = (
                f"{lock} is held by {holder or 'another process'}. "
                "Wait until it is done; if that process hangs, end it, and run again"
            )
            raise IntegrityError(message)
        time.sleep(_POLL_SECONDS)


def _is_still(lock: Path, handle: int) -> bool:
    try:
        return os.path.samestat(lock.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def _try_lock(handle: int) -> bool:
    """Whether the lock could be had at once."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _now() -> str:
    return format_time(datetime.now(UTC).replace(microsecond=0))
