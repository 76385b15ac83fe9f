"""Cases: an id that can be taken for no other, and a fingerprint that follows what is asked and expected."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agenteval.errors import InvalidValue
from pytest_agenteval.model.case import Case, checked_id, folded_id
from tests.model.anything import cases, mappings, values, words


@given(words)
def test_an_id_is_kept_in_normal_form_c(text: str) -> None:
    decomposed = Case(id=unicodedata.normalize("NFD", text), input="q").id
    assert decomposed == unicodedata.normalize("NFC", text)
    assert checked_id(decomposed) == decomposed


@pytest.mark.parametrize(
    ("one", "other"),
    [("Refund", "refund"), ("straße", "STRASSE"), ("ﬁle", "file"), ("x²", "x2"), ("e\u0301", "é"), ("\uff11", "1")],
)
def test_ids_that_look_alike_fold_to_the_same(one: str, other: str) -> None:
    assert folded_id(one) == folded_id(other)


@pytest.mark.parametrize("text", ["a-r1", "a-r23", "refund-r0", "é-r9"])
def test_an_id_that_ends_like_a_repeat_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="ends like the n-th repeat of a case; end it otherwise"):
        Case(id=text, input="q")


@pytest.mark.parametrize("text", ["a-r", "a-r1b", "ar1", "-r1-a", "a-rx"])
def test_an_id_that_only_looks_a_little_like_a_repeat_is_taken(text: str) -> None:
    assert Case(id=text, input="q").id == text


@pytest.mark.parametrize("text", ["a\nb", "a\x00", "a\u200b", "\u202ea", "a\x7f", "a\ud800", "a\ufeff"])
def test_an_id_with_characters_that_cannot_be_seen_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="characters that cannot be seen; leave them out"):
        Case(id=text, input="q")


@pytest.mark.parametrize("thing", ["", "  ", None, 7, ["a"]])
def test_an_id_that_is_no_text_or_empty_is_refused(thing: Any) -> None:
    with pytest.raises(InvalidValue, match="must be a text that is not empty"):
        Case(id=thing, input="q")


def test_an_id_may_have_200_characters_and_not_one_more() -> None:
    assert Case(id="x" * 200, input="q").id == "x" * 200
    with pytest.raises(InvalidValue, match="is 201 characters long; at most 200 are allowed"):
        Case(id="x" * 201, input="q")


@pytest.mark.parametrize("wrong", [{"tags": "must_pass"}, {"expect": ["contains"]}, {"expect": None}])
def test_tags_are_a_list_and_expectations_a_mapping(wrong: Any) -> None:
    with pytest.raises(InvalidValue, match="tags= is a list of texts and expect= a mapping"):
        Case(id="a", input="q", **wrong)


@given(cases, words, mappings)
def test_the_fingerprint_forgets_all_but_input_and_expectation(case: Case, name: str, told: dict[str, Any]) -> None:
    other = Case(id=name, input=case.input, expect=case.expect, suite="other", tags=("x",), provenance=told)
    assert other.fingerprint == case.fingerprint


@given(values, values)
def test_another_input_or_expectation_is_another_fingerprint(one: Any, other: Any) -> None:
    same = Case(id="a", input=one).fingerprint == Case(id="a", input=other).fingerprint
    assert same == (repr(one) == repr(other) or _same_json(one, other))
    assert Case(id="a", input=one).fingerprint != Case(id="a", input=one, expect={"contains": ["x"]}).fingerprint


def _same_json(one: Any, other: Any) -> bool:
    """Equal, and of the same types all the way down."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same_json(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same_json, one, other))
    return type(one) is type(other) and repr(one) == repr(other)


@given(st.lists(st.sampled_from(["must_pass", "slow", "vip"])))
def test_a_case_must_pass_where_it_is_tagged_so(tags: list[str]) -> None:
    case = Case(id="a", input="q", tags=tuple(tags))
    assert case.must_pass == ("must_pass" in tags)
    assert case.tags == tuple(tags)
