from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agenteval.metrics import (
    contains,
    exact,
    excludes,
    number_close,
    regex,
    score_trial,
    similarity,
    token_f1,
)
from pytest_agenteval.model.score import Score
from tests.metrics.trials import hostile, trial

WORDS = st.text(min_size=1)
JSON_VALUES = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


def numbered(output: Any, number: Any) -> Score:
    return score_trial(number_close, trial(output, expect={"number": number}))


@given(value=JSON_VALUES)
def test_every_output_is_exactly_itself(value: Any) -> None:
    assert score_trial(exact, trial(value, expect={"output": value})).value is True


@pytest.mark.parametrize(
    ("output", "expected", "same"),
    [
        (" yes\n", "yes", True),
        ("Yes", "yes", False),
        ({"a": 1}, {"a": 1.0}, True),
        ({"a": True}, {"a": 1}, False),
        ([1, 2], [2, 1], False),
        ("4", 4, False),
        ([1], [1, 1], False),
        ({"a": 1}, [1], False),
        (2**53 + 1, 2**53, False),
    ],
)
def test_exact_compares_texts_without_the_space_around_and_values_by_kind(
    output: Any, expected: Any, same: bool
) -> None:
    assert score_trial(exact, trial(output, expect={"output": expected})).value is same


@given(before=st.text(), wanted=WORDS, after=st.text())
def test_a_text_is_contained_in_whatever_surrounds_it(before: str, wanted: str, after: str) -> None:
    assert score_trial(contains, trial(before + wanted + after, expect={"contains": wanted})).value is True


@given(output=st.text(), wanted=WORDS)
def test_excludes_says_the_opposite_of_contains(output: str, wanted: str) -> None:
    both = trial(output, expect={"contains": wanted, "excludes": wanted})
    assert score_trial(contains, both).value is not score_trial(excludes, both).value


def test_contains_wants_each_text_and_names_those_that_are_missing() -> None:
    score = score_trial(contains, trial("30 days", expect={"contains": ["30 days", "receipt"]}))
    assert (score.value, score.evidence) == (False, {"missing": ["receipt"]})


def test_contains_looks_into_output_that_is_no_text() -> None:
    assert score_trial(contains, trial({"city": "Zürich"}, expect={"contains": "Zürich"})).value is True


@pytest.mark.parametrize("told", [[], [""], 5, ["a", 1], {"a": 1}])
def test_an_expectation_that_says_nothing_is_an_error_and_never_met(told: Any) -> None:
    score = score_trial(contains, trial("a", expect={"contains": told}))
    assert score.value is None
    assert "expect.contains must be a text or a list of texts" in score.reason


@given(output=st.text())
def test_a_pattern_of_anything_is_found_in_any_text(output: str) -> None:
    assert score_trial(regex, trial(output, expect={"regex": "^"})).value is True


@pytest.mark.parametrize(
    ("pattern", "found"),
    [(r"order \d+", True), (r"^\d+$", False), ("(?i)ORDER", True), (["order", "#"], False)],
)
def test_regex_searches_the_output_for_each_pattern(pattern: Any, found: bool) -> None:
    assert score_trial(regex, trial("your order 17", expect={"regex": pattern})).value is found


@pytest.mark.parametrize(("pattern", "text"), hostile("redos").values(), ids=hostile("redos"))
def test_a_runaway_pattern_is_stopped_and_the_next_trial_is_scored(pattern: str, text: str) -> None:
    score_trial(regex, trial("a", expect={"regex": "a"}))  # its process runs, so the time below is the pattern's
    began = time.monotonic()
    score = score_trial(regex, trial(text, expect={"regex": pattern}))
    assert score.value is None
    assert score.reason.startswith("metric error: the pattern took more than 1 s")
    assert time.monotonic() - began < 2
    assert score_trial(regex, trial("a", expect={"regex": "a"})).value is True


def test_a_pattern_that_is_none_is_a_metric_error() -> None:
    score = score_trial(regex, trial("a", expect={"regex": "("}))
    assert score.value is None
    assert "the pattern ( cannot be used" in score.reason


@given(number=st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**12), 10**12))
def test_a_number_is_close_to_itself_said_at_the_end_of_a_sentence(number: float) -> None:
    assert numbered(number, number).value is True
    assert numbered(f"first 12, then {number}.", number).value is True


@pytest.mark.parametrize(
    ("output", "number", "close"),
    [
        ("The total is $1,234.50.", 1234.5, True),
        ("between 3 and 7 days", 7, True),
        ("on 2026-11-24", 24, True),
        ("minus −5", -5, True),
        ("5kg", 5, True),
        (".5", 0.5, True),
        ("about 1.2e3", 1200, True),
        ("1,2345", 2345, True),
        (9.9, {"value": 10, "abs": 0.2}, True),
        (9.9, {"value": 10, "rel": 0.001}, False),
        (10.1, 10, False),
        ("no idea", 3, False),
        ("version v2", 2, False),
        ({"total": 3}, 3, True),
        (10**400, 3, False),
    ],
)
def test_number_close_takes_the_last_number(output: Any, number: Any, close: bool) -> None:
    assert numbered(output, number).value is close


@pytest.mark.parametrize("told", ["3", True, {}, {"abs": 1}, {"value": 1, "near": 2}, {"value": "1"}, [1]])
def test_a_number_that_is_none_is_an_error_of_the_case(told: Any) -> None:
    assert "expect.number must be a number" in numbered("1", told).reason


def test_a_negative_tolerance_is_an_error_and_never_a_value() -> None:
    assert numbered("1", {"value": 1, "abs": -1}).reason.startswith("metric error: ")


@given(output=st.text(), expected=st.text())
def test_token_f1_does_not_care_which_of_the_two_is_expected(output: str, expected: str) -> None:
    one = score_trial(token_f1, trial(output, expect={"output": expected})).value
    assert one == score_trial(token_f1, trial(expected, expect={"output": output})).value


@pytest.mark.parametrize(
    ("output", "expected", "f1"),
    [
        ("The Eiffel Tower!", "eiffel tower", 1.0),
        ("Eiffel", "the Eiffel Tower", 2 / 3),
        ("Rome", "Paris", 0.0),
        ("the", "a", 1.0),
        ("the", "Paris", 0.0),
        ("no no no", "no", 0.5),
    ],
)
def test_token_f1_counts_shared_words_as_squad_does(output: str, expected: str, f1: float) -> None:
    assert score_trial(token_f1, trial(output, expect={"output": expected})).value == pytest.approx(f1)


@given(output=st.text(), expected=st.text())
def test_only_equal_texts_are_wholly_similar(output: str, expected: str) -> None:
    assert (score_trial(similarity, trial(output, expect={"output": expected})).value == 1) is (output == expected)


def test_similarity_is_no_check_of_facts() -> None:
    score = score_trial(similarity, trial("it was not paid", expect={"output": "it was paid"}))
    assert score.value == pytest.approx(22 / 26)


def test_without_its_library_similarity_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "rapidfuzz.distance", None)
    score = score_trial(similarity, trial("a", expect={"output": "a"}))
    assert score.value is None
    assert "pip install 'pytest-agenteval[text]'" in score.reason
