"""Metrics of the output's text."""

from __future__ import annotations

import math
import re
import string
from collections import Counter
from collections.abc import Mapping

from pytest_agenteval.errors import MetricError
from pytest_agenteval.metrics.declare import metric
from pytest_agenteval.metrics.patterns import pattern_found
from pytest_agenteval.metrics.reading import (
    equal,
    expected_texts,
    is_number,
    malformed,
    output_text,
)
from pytest_agenteval.model.jsonvalue import canonical
from pytest_agenteval.model.score import Score
from pytest_agenteval.model.trial import Trial

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_NUMBER = re.compile(r"(?<![\w.])[-+−]?(?:\d{1,3}(?:,\d{3})++(?!\d)|\d+)?(?:\.\d++|(?<=\d))(?:[eE][-+]?\d++)?")
_EQUAL_BUT_FOR_ROUNDING = {"rel": 1e-9}


@metric(kind="binary", unit="fraction", needs={"expect.output", "output"})
def exact(trial: Trial) -> bool:
    """Whether the output equals ``expect.output``; higher is better.

    Strings are compared without the white space around them, all else as JSON values.
    """
    expected = trial.case.expect["output"]
    if isinstance(expected, str) and isinstance(trial.output, str):
        return trial.output.strip() == expected.strip()
    return equal(trial.output, expected)


@metric(kind="binary", unit="fraction", needs={"expect.contains", "output"})
def contains(trial: Trial) -> Score:
    """Whether each text of ``expect.contains`` stands in the output, letter for letter; higher is better."""
    output = output_text(trial)
    missing = [text for text in expected_texts(trial, "contains") if text not in output]
    return Score(metric="contains", value=not missing, evidence={"missing": missing} if missing else {})


@metric(kind="binary", unit="fraction", needs={"expect.excludes", "output"})
def excludes(trial: Trial) -> Score:
    """Whether no text of ``expect.excludes`` stands in the output, letter for letter; higher is better."""
    output = output_text(trial)
    found = [text for text in expected_texts(trial, "excludes") if text in output]
    return Score(metric="excludes", value=not found, evidence={"found": found} if found else {})


@metric(kind="binary", unit="fraction", needs={"expect.regex", "output"})
def regex(trial: Trial) -> Score:
    """Whether each pattern of ``expect.regex`` (syntax of ``re``) is found in the output; higher is better.

    A pattern that runs for more than a second is stopped; the trial is then *not evaluated*.
    """
    output = output_text(trial)
    missing = [pattern for pattern in expected_texts(trial, "regex") if not pattern_found(pattern, output)]
    return Score(metric="regex", value=not missing, evidence={"missing": missing} if missing else {})


@metric(kind="binary", unit="fraction", needs={"expect.number", "output"})
def number_close(trial: Trial) -> Score:
    """Whether the output's number is close to ``expect.number``; higher is better.

    ``expect.number`` is a number, or an object of ``value`` with ``abs`` and ``rel`` (either is enough; equal
    but for rounding where neither is given). The output's number is the output, or the last in its text.
    """
    expected, tolerance = _expected_number(trial)
    found = _last_number(output_text(trial))
    close = found is not None and math.isclose(
        found, expected, rel_tol=tolerance.get("rel", 0.0), abs_tol=tolerance.get("abs", 0.0)
    )
    return Score(metric="number_close", value=close, evidence={"found": found, "expected": expected})


def _expected_number(trial: Trial) -> tuple[float, Mapping[str, float]]:
    told = trial.case.expect["number"]
    parts = told if isinstance(told, Mapping) else {"value": told}
    numbers = {name: float(part) for name, part in parts.items() if is_number(part)}
    if "value" not in numbers or numbers.keys() != parts.keys() or not numbers.keys() <= {"value", "abs", "rel"}:
        raise malformed(trial, "number", "a number, or an object of the numbers value, abs and rel")
    return numbers.pop("value"), numbers or _EQUAL_BUT_FOR_ROUNDING


def _last_number(text: str) -> float | None:
    last = None
    for last in _NUMBER.finditer(text):  # noqa: B007  # the last one is what is sought
        pass
    if last is None:
        return None
    number = float(last[0].replace(",", "").replace("−", "-"))
    return number if math.isfinite(number) else None


@metric(unit="fraction", needs={"expect.output", "output"})
def token_f1(trial: Trial) -> float:
    """F1 of the words that the output and ``expect.output`` share; higher is better.

    Letter case, punctuation and English articles do not count. Source: Rajpurkar et al. (2016), SQuAD.
    """
    found, expected = _words(output_text(trial)), _words(_expected_text(trial))
    if not found or not expected:
        return float(found == expected)
    shared = (Counter(found) & Counter(expected)).total()
    return 2 * shared / (len(found) + len(expected))


def _words(text: str) -> list[str]:
    return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()


@metric(unit="fraction", needs={"expect.output", "output"})
def similarity(trial: Trial) -> float:
    """How alike the letters of the output and ``expect.output`` are; higher is better.

    The normalised Indel similarity: no check of facts ("paid" and "not paid" are alike). Needs the extra
    ``text``.
    """
    try:
        from rapidfuzz.distance import Indel
    except ImportError as error:
        message = "similarity needs rapidfuzz. Run: pip install 'pytest-agenteval[text]'"
        raise MetricError(message) from error
    return Indel.normalized_similarity(output_text(trial), _expected_text(trial))


def _expected_text(trial: Trial) -> str:
    told = trial.case.expect["output"]
    return told if isinstance(told, str) else canonical(told)
