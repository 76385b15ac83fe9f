"""From values to JSON and back by one rule: a key a field, defaults left out, unknown keys refused."""

from __future__ import annotations

import difflib
import math
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from typing import Any, TypeVar

from pytest_agenteval.errors import InvalidValue

_T = TypeVar("_T")
_Decoder = Callable[[Any], Any]
_Encoder = Callable[[Any], Any]
_PLAIN = frozenset({str, int, float, bool, type(None)})


def _cached(by_type: Callable[[type], _T]) -> Callable[[type], _T]:
    """functools.cache, typed for what is asked here: a type is always hashable."""
    return typing.cast("Callable[[type], _T]", cache(by_type))


def encode(value: Any) -> Any:  # noqa: ANN401  # any value of the model becomes some JSON
    """The JSON form of a value of the model: dataclasses become objects, times ISO text in UTC.

    Raises InvalidValue for what has no JSON form.

    >>> from pytest_agenteval.model.trajectory import Step
    >>> encode(Step(kind="tool", name="lookup"))
    {'kind': 'tool', 'name': 'lookup'}
    """
    return _encoder(type(value))(value)


def encode_without(value: Any, field: str) -> dict[str, Any]:  # noqa: ANN401  # any dataclass of the model
    """The same of a dataclass, without one field: its caller writes that otherwise."""
    kind: Any = type(value)  # hashable, as every type is
    written: dict[str, Any] = _dataclass_encoder(kind, field)(value)
    return written


@_cached
def _encoder(kind: type) -> _Encoder:
    """How values of exactly this type are encoded; found once a type, since a run encodes many trials."""
    if kind in _PLAIN:
        return _as_it_is
    if hasattr(kind, "__dataclass_fields__"):
        return _dataclass_encoder(kind)
    for base, encoder in _ENCODERS:
        if issubclass(kind, base):
            return encoder
    message = f"a {kind.__name__} has no JSON form; use texts, numbers, bools, lists and mappings"
    raise InvalidValue(message)


@cache
def _dataclass_encoder(kind: type, left_out: str = "") -> _Encoder:
    """Its source is made of the fields, as dataclasses make their __init__: a loop over them takes twice as long."""
    known: dict[str, Any] = {"plain": _PLAIN, "encoder": _encoder}
    source = ["def write(value):", " written = {}"]
    for place, (name, default) in enumerate(pair for pair in _defaults(kind) if pair[0] != left_out):
        known[f"_{place}"] = default
        same = f"item is _{place} or (item == _{place} and type(item) is type(_{place}))"
        source += [
            f" item = value.{name}",
            f" if {default is MISSING} or not ({same}):",
            f"  written['{name}'] = item if type(item) in plain else encoder(type(item))(item)",
        ]
    exec("\n".join([*source, " return written"]), known)
    return typing.cast("_Encoder", known["write"])


def _as_it_is(value: Any) -> Any:  # noqa: ANN401  # a plain JSON value
    return value


def _encode_mapping(value: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(key): item if type(item) in _PLAIN else _encoder(type(item))(item) for key, item in value.items()}


def _encode_sequence(value: Sequence[Any]) -> list[Any]:
    return [item if type(item) in _PLAIN else _encoder(type(item))(item) for item in value]


def decode(kind: type[_T], data: Any, *, where: str = "") -> _T:  # noqa: ANN401  # checked here
    """A value of the dataclass ``kind`` from its JSON form.

    ``where`` is put before the message of an error. Raises InvalidValue on an unknown key (with the near
    match), a missing one, a wrong type, or a value that the type refuses.

    >>> from pytest_agenteval.model.trajectory import Step
    >>> decode(Step, {"kind": "tool", "nmae": "lookup"})
    Traceback (most recent call last):
    ...
    pytest_agenteval.errors.InvalidValue: unknown key 'nmae' in a Step; did you mean 'name'?
    """
    try:
        return typing.cast(_T, _dataclass_decoder(kind)(data))
    except (InvalidValue, TypeError) as error:
        message = f"{where}: {error}" if where else str(error)
        raise InvalidValue(message) from error


def format_time(at: datetime) -> str:
    """ISO 8601 in UTC, ending in Z."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


_ENCODERS: tuple[tuple[type, _Encoder], ...] = (
    (Enum, lambda value: value.value),
    (datetime, format_time),
    (str, str.__str__),
    (bool, bool),
    (int, int.__int__),
    (float, float.__float__),
    (Mapping, _encode_mapping),
    (Sequence, _encode_sequence),
)
"""In this order: an enumeration of texts is a text, too."""


def parse_time(text: object) -> datetime:
    """An aware UTC instant from ISO 8601 text; a text without a zone is refused."""
    try:
        at = datetime.fromisoformat(str(text))
        instant = None if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        message = f"{text!r} is not an ISO 8601 time"
        raise InvalidValue(message) from error
    if instant is None:
        message = f"the time {text!r} has no zone; write it like 2026-11-24T09:00:00Z"
        raise InvalidValue(message)
    return instant


def near(name: str, known: Sequence[str], *, cutoff: float = 0.6) -> str:
    """The words '; did you mean …?' where a known name is near, else the empty text."""
    match = difflib.get_close_matches(name, known, n=1, cutoff=cutoff)
    return f"; did you mean {match[0]!r}?" if match else ""


@_cached
def _defaults(kind: type) -> tuple[tuple[str, object], ...]:
    found = []
    for field in fields(kind):
        made = field.default_factory() if field.default_factory is not MISSING else field.default
        found.append((field.name, made))
    return tuple(found)


@_cached
def _dataclass_decoder(kind: type) -> _Decoder:
    hints = typing.get_type_hints(kind)
    known = {field.name: _decoder(hints[field.name]) for field in fields(kind) if field.init}
    required = [name for name, default in _defaults(kind) if default is MISSING]

    def read(data: Any) -> Any:  # noqa: ANN401  # checked here
        if not isinstance(data, Mapping):
            message = f"a {kind.__name__} is an object, not {data!r:.80}"
            raise InvalidValue(message)
        for name in data:
            if name not in known:
                message = f"unknown key {name!r} in a {kind.__name__}{near(name, list(known))}"
                raise InvalidValue(message)
        missing = [name for name in required if name not in data]
        if missing:
            message = f"a {kind.__name__} needs the key {missing[0]!r}"
            raise InvalidValue(message)
        return kind(**{name: _read_field(kind, name, known[name], item) for name, item in data.items()})

    return read


def _read_field(kind: type, name: str, decoder: _Decoder, item: object) -> object:
    try:
        return decoder(item)
    except InvalidValue as error:
        message = f"{name} of a {kind.__name__}: {error}"
        raise InvalidValue(message) from error


def _decoder(hint: Any) -> _Decoder:  # noqa: ANN401  # a type expression
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is None:
        return _plain_type_decoder(hint)
    if origin in (typing.Union, types.UnionType):
        return _union_decoder(arguments)
    if origin is typing.Literal:
        return _one_of(arguments)
    return _tuple_decoder(arguments) if origin is tuple else _mapping_decoder(_decoder(arguments[1]))


def _plain_type_decoder(hint: Any) -> _Decoder:  # noqa: ANN401  # a type
    if hint is datetime:
        return parse_time
    if hasattr(hint, "__dataclass_fields__"):
        return lambda data: _dataclass_decoder(hint)(data)
    if hint in (str, int, float, bool):
        return _plain_decoder(hint)
    if issubclass(hint, Enum):
        choose = _one_of(tuple(member.value for member in hint))
        return lambda data: hint(choose(data))
    return lambda data: data  # JSON itself: any value


def _union_decoder(arguments: tuple[Any, ...]) -> _Decoder:
    if set(arguments) == {float, bool, type(None)}:
        return lambda data: data if isinstance(data, bool) or data is None else _number(data)
    (inner,) = [argument for argument in arguments if argument is not type(None)]
    read = _decoder(inner)
    return lambda data: None if data is None else read(data)


def _tuple_decoder(arguments: tuple[Any, ...]) -> _Decoder:
    read = _decoder(arguments[0])

    def items(data: Any) -> tuple[Any, ...]:  # noqa: ANN401  # checked here
        if isinstance(data, str) or not isinstance(data, Sequence):
            message = f"a list is due, not {data!r:.80}"
            raise InvalidValue(message)
        return tuple(read(item) for item in data)

    return items


def _mapping_decoder(read: _Decoder) -> _Decoder:
    def items(data: Any) -> dict[str, Any]:  # noqa: ANN401  # checked here
        if not isinstance(data, Mapping):
            message = f"an object is due, not {data!r:.80}"
            raise InvalidValue(message)
        return {key: read(item) for key, item in data.items()}

    return items


def _one_of(allowed: tuple[Any, ...]) -> _Decoder:
    def choose(data: Any) -> Any:  # noqa: ANN401  # checked here
        if data not in allowed:
            message = f"one of {', '.join(map(repr, allowed))} is due, not {data!r:.80}"
            raise InvalidValue(message)
        return data

    return choose


def _plain_decoder(kind: type) -> _Decoder:
    def check(data: Any) -> Any:  # noqa: ANN401  # checked here
        if kind is float:
            return _number(data)
        if type(data) is not kind:
            message = f"a {kind.__name__} is due, not {data!r:.80}"
            raise InvalidValue(message)
        return data

    return check


def _number(data: Any) -> float:  # noqa: ANN401  # checked here
    if isinstance(data, bool) or not isinstance(data, int | float):
        message = f"a number is due, not {data!r:.80}"
        raise InvalidValue(message)
    try:
        value = float(data)
    except OverflowError as error:
        message = "the number is too large to hold"
        raise InvalidValue(message) from error
    if not math.isfinite(value):
        message = f"a finite number is due, not {data!r}"
        raise InvalidValue(message)
    return value
