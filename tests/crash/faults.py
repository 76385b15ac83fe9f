"""Calls of the system that fail: the k-th one that concerns a folder, once or from then on."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SHORT = 0
"""In place of an error: a write that takes a half."""
KINDS = {
    name: getattr(errno, name) if name != "SHORT" else SHORT for name in ("EIO", "ENOSPC", "EINTR", "EAGAIN", "SHORT")
}
_CALLS = ("open", "write", "fsync", "replace", "link")


class Faults:
    """Lets the k-th call (1…) below ``root`` fail, and ``lasting`` all of the same name after it.

    ``hit`` is the name of the call that failed, '' where there are fewer calls. The index of the history is left
    out: it is derived, and made anew.
    """

    def __init__(self, root: Path, kind: int, k: int, *, lasting: bool, only: str = "") -> None:
        self._root, self._kind, self._k, self._lasting, self._only = str(root), kind, k, lasting, only
        self._real: dict[str, Callable[..., Any]] = {name: getattr(os, name) for name in _CALLS}
        self._files: set[int] = set()
        self._n = 0
        self.hit = ""

    def inject(self, patch: pytest.MonkeyPatch) -> None:
        for name in _CALLS:
            patch.setattr(os, name, self._shim(name))

    def _shim(self, name: str) -> Callable[..., Any]:
        def call(subject: Any, *rest: Any, **named: Any) -> Any:
            real = self._real[name]
            text = str(subject)
            ours = subject in self._files if isinstance(subject, int) else self._root in text and "index" not in text
            if ours and self._fails(name):
                if self._kind != SHORT:
                    raise OSError(self._kind, os.strerror(self._kind), str(subject))
                if name == "write":
                    return real(subject, rest[0][: max(1, len(rest[0]) // 2)])
            answer = real(subject, *rest, **named)
            if name == "open":
                (self._files.add if ours else self._files.discard)(answer)
            return answer

        return call

    def _fails(self, name: str) -> bool:
        if self._only and name != self._only:
            return False
        self._n += 1
        if self._n == self._k:
            self.hit = name
        return self._n == self._k or (self._lasting and name == self.hit)
