"""Reading text files strictly: an error names the file, the line and, where known, the column."""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytest_agenteval.errors import InvalidValue, UsageError
from pytest_agenteval.model.jsonvalue import parse

Refusal = Callable[[str], UsageError]
"""The class of the error that a reader raises."""

_CONFLICT = re.compile(r"^(<{7}|={7}|>{7})(?: |$)", re.MULTILINE)
_TWICE = re.compile(r"the key '(.*)' stands twice")


def read_text(path: Path, refusal: Refusal) -> str:
    """The text of a UTF-8 file, with or without a byte-order mark, its line ends as LF."""
    try:
        content = path.read_bytes()
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror or error}. Check the path and its permissions"
        raise refusal(message) from error
    return decoded(content, path, refusal)


def decoded(content: bytes, where: object, refusal: Refusal) -> str:
    """The text of the bytes of a UTF-8 file; see ``read_text``."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = f"{where}:{line}: not UTF-8 text ({error.reason}). Save the file as UTF-8"
        raise refusal(message) from error
    return text.replace("\r\n", "\n")


def refuse_links(path: Path, refusal: Refusal) -> None:
    """Refuse a file, or its folder, that is a symbolic link."""
    for place in (path, path.parent):
        if place.is_symlink():
            message = f"{place} is a symbolic link, which may lead anywhere. Put the file itself there"
            raise refusal(message)


def parse_text(text: str, where: object, refusal: Refusal) -> Any:  # noqa: ANN401  # any JSON value
    """The JSON value of a file's text. A conflict that git left is named as such."""
    if found := _CONFLICT.search(text):
        line = line_at(text, found.start())
        message = f"{where}:{line}: git left a conflict here. Take one side, remove the marks, and run again"
        raise refusal(message)
    try:
        return parse(text)
    except InvalidValue as error:
        message = f"{where}:{_place(text, error)}: {_reason(error)}. Correct the file, or restore it from git"
        raise refusal(message) from error


def line_at(text: str, offset: int) -> int:
    """The number, from 1, of the line in which the offset lies."""
    return text.count("\n", 0, offset) + 1


def _reason(error: InvalidValue) -> str:
    """The message without its own place, which counts as if the text were the file."""
    cause = error.__cause__
    return f"not JSON: {cause.msg}" if isinstance(cause, json.JSONDecodeError) else str(error)


def _place(text: str, error: InvalidValue) -> str:
    """LINE or LINE:COLUMN of an error that parsing the text gives."""
    cause = error.__cause__
    if isinstance(cause, json.JSONDecodeError):
        return f"{cause.lineno}:{cause.colno}"
    lines = [f"{line}\n" for line in text.split("\n")]
    # The shortest beginning of the file that already holds the fault ends in its line.
    found = bisect_left(range(1, len(lines)), True, key=lambda n: _is_refused("".join(lines[:n]))) + 1
    if twice := _TWICE.match(str(error)):
        # A twin is seen when its object ends: the twin itself is the last of its name before that.
        key = json.dumps(twice[1], ensure_ascii=False)
        found = max((n for n in range(1, found + 1) if key in lines[n - 1]), default=found)
    return str(found)


def _is_refused(beginning: str) -> bool:
    """Whether this part of a file is refused for what it holds, and not for ending early."""
    try:
        parse(beginning)
    except InvalidValue as error:
        return not isinstance(error.__cause__, json.JSONDecodeError)
    return False
