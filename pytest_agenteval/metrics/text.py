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
from pytest_agenteval.metrics.reading import as_text, equal, expected_texts, is_number, malformed
from pytest_agenteval.model.jsonvalue import JSON
from pytest_agenteval.model.score import Score

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_NUMBER = re.compile(r"(?<![\w.])[-+−]?(?:\d{1,3}(?:,\d{3})++(?!\d)|\d+)?(?:\.\d++|(?<=\d))(?:[eE][-+]?\d++)?")
_EQUAL_BUT_FOR_ROUNDING = {"rel": 1e-9}


@metric(kind="binary", unit="fraction", needs={"expect.output", "output"})
def exact(output: JSON, expected: JSON) -> bool:
    """Whether the output equals ``expect.output``; higher is better.

    Strings are compared without the white space around them, all else as JSON values.
    """
    if isinstance(expected, str) and isinstance(output, str):
        return output.strip() == expected.strip()
    return equal(output, expected)


@metric(kind="binary", unit="fraction", needs={"expect.contains", "output"})
def contains(output: JSON, expected: JSON) -> Score | bool:
    """Whether each text of ``expect.contains`` stands in the output, letter for letter; higher is better."""
    text, wanted = as_text(output), expected_texts("contains", expected)
    for one in wanted:
        if one not in text:
            return Score(
                metric="contains", value=False, evidence={"missing": [two for two in wanted if two not in text]}
            )
    return True


@metric(kind="binary", unit="fraction", needs={"expect.excludes", "output"})
def excludes(output: JSON, expected: JSON) -> Score | bool:
    """Whether no text of ``expect.excludes`` stands in the output, letter for letter; higher is better."""
    text = as_text(output)
    found = [unwanted for unwanted in expected_texts("excludes", expected) if unwanted in text]
    return Score(metric="excludes", value=False, evidence={"found": found}) if found else True


@metric(kind="binary", unit="fraction", needs={"expect.regex", "output"})
def regex(output: JSON, expected: JSON) -> Score | bool:
    """Whether each pattern of ``expect.regex`` (syntax of ``re``) is found in the output; higher is better.

    A pattern that runs for more than a second is stopped; the trial is then *not evaluated*.
    """
    text = as_text(output)
    missing = [pattern for pattern in expected_texts("regex", expected) if not pattern_found(pattern, text)]
    return Score(metric="regex", value=False, evidence={"missing": missing}) if missing else True


@metric(kind="binary", unit="fraction", needs={"expect.number", "output"})
def number_close(output: JSON, expected: JSON) -> Score:
    """Whether the output's number is close to ``expect.number``; higher is better.

    ``expect.number`` is a number, or an object of ``value`` with ``abs`` and ``rel`` (either is enough; equal
    but for rounding where neither is given). The output's number is the output, or the last in its text.
    """
    due, tolerance = _expected_number(expected)
    found = _last_number(as_text(output))
    close = found is not None and math.isclose(
        found, due, rel_tol=tolerance.get("rel", 0.0), abs_tol=tolerance.get("abs", 0.0)
    )
    return Score(metric="number_close", value=close, evidence={"found": found, "expected": due})


def _expected_number(told: JSON) -> tuple[float, Mapping[str, float]]:
    parts = told if isinstance(told, Mapping) else {"value": told}
    numbers = {name: float(part) for name, part in parts.items() if is_number(part)}
    if "value" not in numbers or numbers.keys() != parts.keys() or not numbers.keys() <= {"value", "abs", "rel"}:
        raise malformed(told, "number", "a number, or an object of the numbers value, abs and rel")
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
def token_f1(output: JSON, expected: JSON) -> float:
    """F1 of the words that the output and ``expect.output`` share; higher is better.

    Letter case, punctuation and English articles do not count. Source: Rajpurkar et al. (2016), SQuAD.
    """
    found, due = _words(as_text(output)), _words(as_text(expected))
    if not found or not due:
        return float(found == due)
    shared = (Counter(found) & Counter(due)).total()
    return 2 * shared / (len(found) + len(due))


def _words(text: str) -> list[str]:
    return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()


@metric(unit="fraction", needs={"expect.output", "output"})
def similarity(output: JSON, expected: JSON) -> float:
    """How alike the letters of the output and ``expect.output`` are; higher is better.

    The normalised Indel similarity: no check of facts ("paid" and "not paid" are alike). Needs the extra
    ``text``.
    """
    try:
        from rapidfuzz.distance import Indel
    except ImportError as error:
        message = "similarity needs rapidfuzz. Run: pip install 'pytest-agenteval[text]'"
        raise MetricError(message) from error
    return Indel.normalized_similarity(as_text(output), as_text(expected))
