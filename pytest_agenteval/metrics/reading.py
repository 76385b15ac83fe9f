"""What metrics read of a trial: output, expectation, and when two values are equal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeGuard

from pytest_agenteval.errors import CaseError
from pytest_agenteval.model.jsonvalue import JSON, canonical, parse


def as_text(output: JSON) -> str:
    """The output as text: a string as it is, any other value as its canonical JSON."""
    return output if isinstance(output, str) else canonical(output)


def as_json(output: JSON) -> JSON:
    """The output as a JSON value: a string is parsed strictly. Raises InvalidValue where it is not JSON."""
    parsed: JSON = parse(output) if isinstance(output, str) else output
    return parsed


def expected_texts(key: str, told: JSON) -> tuple[str, ...]:
    """``expect.KEY`` as texts: one text stands for a list of one. Raises CaseError where it says nothing."""
    if isinstance(told, str) and told:
        return (told,)
    texts = () if isinstance(told, str) or not isinstance(told, Sequence) else told
    if not texts or not all(isinstance(text, str) and text for text in texts):
        raise malformed(told, key, "a text or a list of texts, none of them empty")
    return tuple([str(text) for text in texts])


def expected_object(key: str, told: JSON) -> Mapping[str, JSON]:
    """``expect.KEY`` as an object that is not empty. Raises CaseError where it is anything else."""
    if not isinstance(told, Mapping) or not told:
        raise malformed(told, key, "an object that is not empty")
    return told


def malformed(told: JSON, key: str, due: str) -> CaseError:
    """The error to raise where ``told``, which is ``expect.KEY`` of a case, cannot be used."""
    return CaseError(f"expect.{key} must be {due}, not {told!r:.80}; mend the case")


def is_number(value: JSON) -> TypeGuard[float]:
    """Whether a JSON value is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def equal(found: JSON, expected: JSON, *, tolerance: float = 0.0) -> bool:
    """Whether two JSON values are equal: true is not 1, but 1 is 1.0; numbers may differ by ``tolerance``.

    >>> equal({"amount": 9.99, "paid": True}, {"amount": 10, "paid": True}, tolerance=0.02)
    True
    >>> equal(True, 1)
    False
    """
    if isinstance(expected, Mapping):
        return (
            isinstance(found, Mapping)
            and found.keys() == expected.keys()
            and all(equal(found[key], expected[key], tolerance=tolerance) for key in expected)
        )
    if isinstance(expected, Sequence) and not isinstance(expected, str):
        return (
            isinstance(found, Sequence)
            and not isinstance(found, str)
            and len(found) == len(expected)
            and all(equal(one, other, tolerance=tolerance) for one, other in zip(found, expected, strict=True))
        )
    if is_number(expected) and is_number(found):
        near = tolerance > 0 and expected - tolerance <= found <= expected + tolerance
        return found == expected or near
    return type(found) is type(expected) and found == expected
