"""What metrics read of a trial: output, expectation, and when two values are equal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeGuard

from pytest_agenteval.errors import CaseError
from pytest_agenteval.model.jsonvalue import JSON, canonical, parse
from pytest_agenteval.model.trial import Trial


def output_text(trial: Trial) -> str:
    """The output as text: a string as it is, any other value as its canonical JSON."""
    return trial.output if isinstance(trial.output, str) else canonical(trial.output)


def output_json(trial: Trial) -> JSON:
    """The output as a JSON value: a string is parsed strictly. Raises InvalidValue where it is not JSON."""
    parsed: JSON = parse(trial.output) if isinstance(trial.output, str) else trial.output
    return parsed


def expected_texts(trial: Trial, key: str) -> tuple[str, ...]:
    """``expect.KEY`` as texts: one text stands for a list of one. Raises CaseError where it says nothing."""
    told = trial.case.expect[key]
    texts = (told,) if isinstance(told, str) else told
    if not isinstance(texts, Sequence) or not texts or not all(isinstance(text, str) and text for text in texts):
        raise malformed(trial, key, "a text or a list of texts, none of them empty")
    return tuple(str(text) for text in texts)


def expected_object(trial: Trial, key: str) -> Mapping[str, JSON]:
    """``expect.KEY`` as an object that is not empty. Raises CaseError where it is anything else."""
    told = trial.case.expect[key]
    if not isinstance(told, Mapping) or not told:
        raise malformed(trial, key, "an object that is not empty")
    return told


def malformed(trial: Trial, key: str, due: str) -> CaseError:
    """The error to raise where ``expect.KEY`` of the trial's case cannot be used."""
    told = trial.case.expect[key]
    return CaseError(f"expect.{key} of the case {trial.case.id!r} must be {due}, not {told!r:.80}; mend the case")


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
