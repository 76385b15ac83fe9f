"""Metrics of output that is to be JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_agenteval.errors import InvalidValue, MetricError
from pytest_agenteval.metrics.declare import metric
from pytest_agenteval.metrics.patterns import pattern_found
from pytest_agenteval.metrics.reading import as_json, equal, expected_object, malformed
from pytest_agenteval.model.jsonvalue import JSON, parse
from pytest_agenteval.model.score import Score

_NOWHERE = object()
_LONGEST_MESSAGE = 200


@metric(kind="binary", unit="fraction", needs={"output"})
def json_valid(output: JSON) -> Score | bool:
    """Whether the output is JSON; higher is better.

    Text is read strictly: no NaN, no key twice, no fences around it. Output that is no text is JSON already.
    """
    if not isinstance(output, str):
        return True
    try:
        parse(output)
    except InvalidValue as error:
        return Score(metric="json_valid", value=False, evidence={"why": str(error)[:_LONGEST_MESSAGE]})
    return True


@metric(kind="binary", unit="fraction", needs={"expect.schema", "output"})
def json_schema(output: JSON, expected: JSON) -> Score | bool:
    """Whether the output is JSON that the JSON Schema ``expect.schema`` allows; higher is better.

    References outside the schema are never fetched. Needs the extra ``schema``.
    """
    validator = _validator(expected)
    try:
        error = next(validator.iter_errors(as_json(output)), None)
    except InvalidValue as invalid:
        return Score(metric="json_schema", value=False, evidence={"why": str(invalid)[:_LONGEST_MESSAGE]})
    if error is None:
        return True
    why = {"why": error.message[:_LONGEST_MESSAGE], "at": error.json_path}
    return Score(metric="json_schema", value=False, evidence=why)


def _validator(schema: JSON) -> Any:  # noqa: ANN401  # jsonschema makes the class by the schema's dialect
    try:
        from jsonschema import Draft202012Validator, SchemaError
        from jsonschema.validators import extend, validator_for
        from referencing import Registry
    except ImportError as error:
        message = "json_schema needs jsonschema. Run: pip install 'pytest-agenteval[schema]'"
        raise MetricError(message) from error
    if not isinstance(schema, Mapping):
        raise malformed(schema, "schema", "a JSON Schema")
    dialect = validator_for(schema, default=Draft202012Validator)
    try:
        dialect.check_schema(dict(schema))
    except SchemaError as error:
        raise malformed(schema, "schema", f"a JSON Schema ({error.message:.200})") from error
    # An empty registry, since the default one fetches references over the network.
    safe: Any = extend(dialect, {"pattern": _match_pattern})  # type: ignore[no-untyped-call]  # not typed there
    return safe(schema, registry=Registry())


def _match_pattern(validator: Any, pattern: str, instance: object, _schema: object) -> Iterator[Exception]:  # noqa: ANN401  # a class made by jsonschema
    from jsonschema import ValidationError

    if isinstance(instance, str) and not pattern_found(pattern, instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


@metric(unit="fraction", needs={"expect.fields", "output"})
def fields_equal(output: JSON, expected: JSON) -> Score:
    """Share of ``expect.fields`` that the output holds with an equal value; higher is better.

    A field is named by its path, ``order.lines.0.price``. Output that is not JSON scores 0.
    """
    fields = expected_object("fields", expected)
    try:
        answer = as_json(output)
    except InvalidValue as error:
        return Score(metric="fields_equal", value=0.0, evidence={"why": str(error)[:_LONGEST_MESSAGE]})
    unequal = [path for path, value in fields.items() if not _holds(answer, path, value)]
    share = 1 - len(unequal) / len(fields)
    return Score(metric="fields_equal", value=share, evidence={"unequal": unequal} if unequal else {})


def _holds(output: JSON, path: str, expected: JSON) -> bool:
    found = _at(output, path)
    return found is not _NOWHERE and equal(found, expected)  # type: ignore[arg-type]  # it is JSON by now


def _at(value: JSON, path: str) -> object:
    """The value at a dotted path, or ``_NOWHERE``; a key that holds dots itself is found whole."""
    if isinstance(value, Mapping):
        if path in value:
            return value[path]
        key, dot, rest = path.partition(".")
        return _at(value[key], rest) if dot and key in value else _NOWHERE
    if isinstance(value, Sequence) and not isinstance(value, str):
        place, dot, rest = path.partition(".")
        if not place.isdecimal() or int(place) >= len(value):
            return _NOWHERE
        return _at(value[int(place)], rest) if dot else value[int(place)]
    return _NOWHERE
