"""JSON as values: one canonical text, one digest, and a reader that lets nothing doubtful in."""

from __future__ import annotations

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agenteval.errors import InvalidValue
from pytest_agenteval.model.jsonvalue import MAX_DEPTH, canonical, digest, parse
from tests.model.anything import values


@given(values)
def test_the_canonical_text_is_read_back_as_the_value(value: object) -> None:
    assert parse(canonical(value)) == value


@given(st.dictionaries(st.text("abc"), st.integers(), max_size=5))
def test_the_order_of_keys_changes_neither_text_nor_digest(value: dict[str, int]) -> None:
    turned = dict(reversed(value.items()))
    assert canonical(turned) == canonical(value)
    assert digest(turned) == digest(value)


def test_one_true_and_a_text_of_one_differ() -> None:
    assert len({digest(1), digest(True), digest("1"), digest(1.0), digest([1])}) == 5


def test_half_a_character_has_a_digest() -> None:
    assert digest("\ud800") != digest("")
    assert len(digest("x", length=6)) == 6


cycle: list[object] = []
cycle.append(cycle)


@pytest.mark.parametrize("value", [math.nan, math.inf, {1, 2}, object(), cycle])
def test_what_is_no_json_has_no_canonical_text(value: object) -> None:
    with pytest.raises(InvalidValue, match="only texts, finite numbers, bools, lists and mappings can be kept"):
        canonical(value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1, "b": 2, "a": 1}', "the key 'a' stands twice in one object"),
        ('[{"x": {"b": 1, "b": 2}}]', "the key 'b' stands twice"),
        ("NaN", "NaN is not a JSON number; leave the value out"),
        ("[-Infinity]", "-Infinity is not a JSON number"),
        ("1e999", "the number 1e999 is too large to hold"),
        ("-1e999", "the number -1e999 is too large"),
        ("1" * 5000, "digits"),
        ("", "not JSON: Expecting value at line 1, column 1"),
        ("{'a': 1}", "not JSON: .* at line 1, column 2"),
        ('"a\tb"', "not JSON: Invalid control character .* line 1, column 3"),
        ("[1,\n2", "not JSON: .* at line 2"),
        ("[" * (MAX_DEPTH + 1), "nested deeper than 100 levels"),
        ('{"a":' * (MAX_DEPTH + 1), "nested deeper than 100 levels"),
    ],
)
def test_the_reader_refuses_with_the_reason(text: str, said: str) -> None:
    with pytest.raises(InvalidValue, match=said):
        parse(text)


def test_the_greatest_depth_is_read() -> None:
    assert canonical(parse("[" * MAX_DEPTH + "]" * MAX_DEPTH)) == "[" * MAX_DEPTH + "]" * MAX_DEPTH


def test_many_brackets_side_by_side_or_inside_texts_are_not_deep() -> None:
    assert len(parse("[" + ",".join(["{}"] * 500) + "]")) == 500
    assert parse('"' + "[" * 500 + '\\"[' + '"') == "[" * 500 + '"['
    assert parse('["\\\\",' + ",".join(["[]"] * 200) + "]")[0] == "\\"


@given(st.text())
def test_no_text_makes_the_reader_raise_anything_else(text: str) -> None:
    with contextlib.suppress(InvalidValue):
        assert canonical(parse(text))
