"""JSON as values: one canonical form, one digest, and a strict reader."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, TypeAlias

from pytest_agenteval.errors import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    JSON: TypeAlias = bool | int | float | str | Sequence["JSON"] | Mapping[str, "JSON"] | None
    """What a case may hold and an agent may answer."""
else:
    JSON = object  # the recursive form cannot be evaluated, and the codec reads the hints of the types

MAX_DEPTH = 100
"""Deeper nesting than this is refused: Python's own reader would run out of stack."""


# Made once: json.dumps would make one for every call, and each trial has several digests. Neither this nor the
# decoder below heeds what an agent in the process puts in the place of json.dumps and json.loads.
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical(value: object) -> str:
    """The one text of a JSON value: sorted keys, no spaces. Raises InvalidValue for what is no JSON value.

    >>> canonical({"b": 1, "a": [True, None]})
    '{"a":[true,null],"b":1}'
    """
    try:
        return _CANONICAL.encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        message = f"only texts, finite numbers, bools, lists and mappings can be kept: {error}"
        raise InvalidValue(message) from error


def digest(value: object, *, length: int = 16) -> str:
    """The first hexadecimal digits of the SHA-256 of the canonical text.

    Lone surrogates are replaced first, since they have no UTF-8 form.

    >>> digest({"a": 1}) == digest({"a": 1})
    True
    """
    return hashlib.sha256(canonical(value).encode("utf-8", "replace")).hexdigest()[:length]


def parse(text: str) -> Any:  # noqa: ANN401  # JSON text can hold any JSON value
    """Read JSON text strictly.

    Raises InvalidValue on text that is not JSON, on NaN, Infinity and numbers too large to hold, on a
    key given twice, and on nesting deeper than ``MAX_DEPTH``.

    >>> parse('{"a": 1, "a": 2}')
    Traceback (most recent call last):
    ...
    pytest_agenteval.errors.InvalidValue: the key 'a' stands twice in one object
    """
    if text.count("[") + text.count("{") > MAX_DEPTH:
        _refuse_depth(text)
    try:
        value, end = _SCAN(text, 0)
        return value if end == len(text) else _STRICT.decode(text)
    except StopIteration:
        pass  # white space stands before the value, or there is none
    except ValueError as error:
        raise _refusal(error) from error
    try:
        return _STRICT.decode(text)
    except ValueError as error:
        raise _refusal(error) from error


def _refusal(error: ValueError) -> InvalidValue:
    if isinstance(error, json.JSONDecodeError):
        return InvalidValue(f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}")
    return InvalidValue(str(error))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        message = f"the key {twice!r} stands twice in one object"
        raise InvalidValue(message)
    return found


def refuse_constant(name: str) -> None:
    """Refuse NaN and Infinity, which Python's reader takes."""
    message = f"{name} is not a JSON number; leave the value out, or use null"
    raise InvalidValue(message)


def finite(text: str) -> float:
    """The number. Raises InvalidValue where it is too large to hold."""
    value = float(text)
    if value in (float("inf"), float("-inf")):
        message = f"the number {text} is too large to hold"
        raise InvalidValue(message)
    return value


_STRICT = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=refuse_constant, parse_float=finite)
_SCAN = _STRICT.scan_once  # type: ignore[attr-defined]  # it is documented for nobody, and there since Python 2.7


def _refuse_depth(text: str) -> None:
    """Count brackets outside strings; the text need not be valid JSON for that."""
    depth, inside, escaped = 0, False, False
    for letter in text:
        if inside:
            inside = escaped or letter != '"'
            escaped = letter == "\\" and not escaped
        elif letter == '"':
            inside = True
        elif letter in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                message = f"nested deeper than {MAX_DEPTH} levels"
                raise InvalidValue(message)
        elif letter in "]}":
            depth -= 1
