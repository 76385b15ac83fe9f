from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agenteval.metrics import fields_equal, json_schema, json_valid, score_trial
from pytest_agenteval.model.score import Score
from tests.metrics.trials import hostile, trial

ORDER = {"order": {"id": 7, "lines": [{"price": 9.5}, {"price": 3}]}, "a.b": "whole", "paid": True}
HOSTILE_JSON = hostile("json_number") | hostile("json_depth")


def matched(output: Any, schema: Any) -> Score:
    return score_trial(json_schema, trial(output, expect={"schema": schema}))


def held(output: Any, fields: Any) -> Score:
    return score_trial(fields_equal, trial(output, expect={"fields": fields}))


@given(value=st.dictionaries(st.text(), st.integers() | st.text() | st.lists(st.booleans())))
def test_what_is_written_as_json_is_valid(value: dict[str, Any]) -> None:
    assert score_trial(json_valid, trial(json.dumps(value))).value is True


@pytest.mark.parametrize("output", [{"a": 1}, [1, 2], 5, True])
def test_output_that_is_no_text_is_json_already(output: Any) -> None:
    assert score_trial(json_valid, trial(output)).value is True


@pytest.mark.parametrize("output", ["", "{'a': 1}", "```json\n{}\n```", "{} trailing", '{"a": 1,}'])
def test_text_that_is_only_nearly_json_is_not_valid(output: str) -> None:
    assert score_trial(json_valid, trial(output)).value is False


@pytest.mark.parametrize("text", HOSTILE_JSON.values(), ids=HOSTILE_JSON)
def test_hostile_json_is_invalid_says_why_and_never_passes(text: str) -> None:
    score = score_trial(json_valid, trial(text))
    assert score.value is False
    assert score.evidence["why"]
    assert matched(text, {}).value is False
    assert held(text, {"score": 1}).value == 0.0


@given(value=st.integers())
def test_a_value_matches_the_schema_that_names_it(value: int) -> None:
    assert matched(json.dumps({"n": value}), {"properties": {"n": {"const": value}}}).value is True


def test_a_mismatch_with_the_schema_says_where_and_why() -> None:
    score = matched({"n": "7"}, {"properties": {"n": {"type": "integer"}}})
    assert (score.value, score.evidence) == (False, {"why": "'7' is not of type 'integer'", "at": "$.n"})


def test_a_schema_that_is_none_is_an_error_of_the_case() -> None:
    assert "must be a JSON Schema" in matched({}, {"type": "no such type"}).reason
    assert "must be a JSON Schema" in matched({}, "object").reason


def test_a_reference_outside_the_schema_is_never_fetched() -> None:
    score = matched({}, {"$ref": "https://schemas.invalid/any.json"})
    assert score.value is None
    assert "Unresolvable" in score.reason


def test_a_runaway_pattern_in_a_schema_is_stopped() -> None:
    (pattern, text), *_ = hostile("redos").values()
    score = matched(json.dumps(text), {"type": "string", "pattern": pattern})
    assert score.reason.startswith("metric error: the pattern took more than 1 s")


def test_patterns_of_a_schema_are_searched_for() -> None:
    assert matched('"order 17"', {"pattern": r"\d+"}).value is True
    assert matched('"order"', {"pattern": r"\d+"}).value is False


def test_without_its_library_json_schema_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    assert "pip install 'pytest-agenteval[schema]'" in matched({}, {}).reason


@given(
    fields=st.dictionaries(st.from_regex(r"[a-z]{1,3}", fullmatch=True), st.integers(0, 3), min_size=1),
    output=st.dictionaries(st.from_regex(r"[a-z]{1,3}", fullmatch=True), st.integers(0, 3)),
)
def test_fields_equal_is_the_share_of_equal_fields(fields: dict[str, int], output: dict[str, int]) -> None:
    equal = sum(output.get(name) == value for name, value in fields.items())
    assert held(output, fields).value == pytest.approx(equal / len(fields))


@pytest.mark.parametrize(
    ("path", "value", "share"),
    [
        ("order.id", 7, 1),
        ("order.lines.1.price", 3.0, 1),
        ("a.b", "whole", 1),
        ("order.lines", [], 0),
        ("paid", 1, 0),
        ("order.lines.9.price", 3, 0),
        ("order.lines.x", 3, 0),
        ("order.id.more", 7, 0),
        ("missing", None, 0),
        ("order.lines.0", {"price": 9.5}, 1),
    ],
)
def test_a_field_is_found_by_its_dotted_path(path: str, value: Any, share: float) -> None:
    assert held(json.dumps(ORDER), {path: value}).value == share


def test_fields_that_differ_are_named() -> None:
    assert held(ORDER, {"order.id": 7, "paid": False}).evidence == {"unequal": ["paid"]}


def test_no_fields_at_all_is_an_error_and_never_a_full_share() -> None:
    assert held(ORDER, {}).value is None
