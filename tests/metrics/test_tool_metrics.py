from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agenteval.errors import MetricError
from pytest_agenteval.metrics import forbidden_tools, repeated_calls, score_trial, steps, tool_calls
from pytest_agenteval.metrics.tools import MODES, Mode
from tests.metrics.trials import calls, faulty, trial

NAMES = st.lists(st.sampled_from("abc"), max_size=5)
SOME_NAMES = st.lists(st.sampled_from("abc"), min_size=1, max_size=5)


def value(expected: Any, made: Any, mode: Mode = "exact", **options: Any) -> Any:
    """The value of tool_calls in a mode, over the expected and the made calls."""
    if {"tolerance", "ignore"} & options.keys():
        options["name"] = "named"
    return score_trial(tool_calls(mode, **options), trial(expect={"calls": expected}, steps=calls(*made))).value


def is_subsequence(short: list[str], long: list[str]) -> bool:
    rest = iter(long)
    return all(name in rest for name in short)


@given(made=NAMES)
def test_the_expected_calls_satisfy_every_mode(made: list[str]) -> None:
    assert [value(made, made, mode) for mode in MODES] == [True] * 5


@given(expected=SOME_NAMES, made=SOME_NAMES)
def test_each_mode_is_what_its_name_says(expected: list[str], made: list[str]) -> None:
    def has_all(many: list[str], few: list[str]) -> bool:
        return all(many.count(name) >= few.count(name) for name in few)

    assert value(expected, made, "exact") is (expected == made)
    assert value(expected, made, "subsequence") is is_subsequence(expected, made)
    assert value(expected, made, "set") is (sorted(expected) == sorted(made))
    assert value(expected, made, "superset") is has_all(made, expected)
    assert value(expected, made, "subset") is has_all(expected, made)


@given(expected=NAMES, made=NAMES, mode=st.sampled_from(MODES))
def test_partial_credit_is_full_exactly_where_all_is_right(expected: list[str], made: list[str], mode: Mode) -> None:
    share = value(expected, made, mode, credit="partial")
    assert 0 <= share <= 1
    assert (share == 1) is value(expected, made, mode)


@given(expected=SOME_NAMES, made=SOME_NAMES)
def test_partial_credit_of_a_set_is_f1_of_the_matched_calls(expected: list[str], made: list[str]) -> None:
    matched = sum(min(expected.count(name), made.count(name)) for name in set(expected))
    f1 = 2 * matched / (len(expected) + len(made))
    assert value(expected, made, "set", credit="partial") == pytest.approx(f1)


@pytest.mark.parametrize("mode", MODES)
def test_making_no_call_is_right_only_where_none_is_due(mode: Mode) -> None:
    assert value([], [], mode) is True
    assert value(["a"], [], mode) is False


@pytest.mark.parametrize("mode", MODES)
def test_where_no_call_is_due_only_the_modes_that_allow_further_calls_allow_any(mode: Mode) -> None:
    assert value([], ["a"], mode) is (mode in ("subsequence", "superset"))


@given(order=st.permutations([("pay", {"to": "x"}), ("pay", {"to": "y"}), ("pay", {"to": "z"})]))
def test_repeated_calls_are_paired_as_well_as_can_be_whatever_their_order(order: list[Any]) -> None:
    # The expected call without arguments matches any: taken first, it must not use up what others need.
    expected = ["pay", {"name": "pay", "args": {"to": "y"}}, {"name": "pay", "args": {"to": "x"}}]
    assert value(expected, order, "set") is True


def test_a_call_is_paired_once() -> None:
    assert value(["a", "a"], ["a"], "superset") is False
    assert value(["a", "a", "b"], ["a", "b", "b"], "set", credit="partial") == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("mode", "share"),
    [("exact", 2 / 4), ("subsequence", 2 / 3), ("set", 6 / 7), ("superset", 1.0), ("subset", 3 / 4)],
)
def test_partial_credit_of_each_mode(mode: Mode, share: float) -> None:
    assert value(["a", "b", "c"], ["b", "x", "a", "c"], mode, credit="partial") == pytest.approx(share)


@pytest.mark.parametrize(
    ("args", "given_args", "options", "right"),
    [
        (None, {"x": 1}, {}, True),
        ({"x": 1}, {"x": 1.0}, {}, True),
        ({"x": 1}, {"x": True}, {}, False),
        ({"x": 1}, {"x": 1, "y": 2}, {}, False),
        ({"x": 1}, {"x": 1, "y": 2}, {"arguments": "subset"}, True),
        ({"x": 1, "z": 0}, {"x": 1}, {"arguments": "subset"}, False),
        ({"x": 1}, {"x": 9}, {"arguments": "ignore"}, True),
        ({"x": 1}, {"x": 1, "y": 2}, {"ignore": ["y"]}, True),
        ({"x": 1, "y": 3}, {"x": 1, "y": 2}, {"ignore": ["y"]}, True),
        ({"x": 1.0}, {"x": 1.1}, {"tolerance": 0.1}, True),
        ({"x": 1.0}, {"x": 1.2}, {"tolerance": 0.1}, False),
        ({"x": 1.0, "y": 1.0}, {"x": 1.1, "y": 1.0}, {"tolerance": {"x": 0.1}}, True),
        ({"x": 1.0, "y": 1.0}, {"x": 1.1, "y": 1.1}, {"tolerance": {"x": 0.1}}, False),
        ({"x": [{"n": 1.0}]}, {"x": [{"n": 1.05}]}, {"tolerance": {"x": 0.1}}, True),
        ({}, None, {}, True),
        ({"x": 1}, '{"x": 1}', {}, False),
    ],
)
def test_arguments_are_matched_as_asked(args: Any, given_args: Any, options: dict[str, Any], right: bool) -> None:
    assert value([{"name": "pay", "args": args}], [("pay", given_args)], **options) is right


@given(difference=st.floats(0, 10), tolerance=st.floats(0, 10))
def test_a_wider_tolerance_never_loses_a_match(difference: float, tolerance: float) -> None:
    due, made = [{"name": "pay", "args": {"x": 5.0}}], [("pay", {"x": 5.0 + difference})]
    narrow = value(due, made, tolerance=tolerance)
    assert value(due, made, tolerance=tolerance + 1) >= narrow


def test_one_expected_call_may_stand_without_a_list() -> None:
    assert value("a", ["a"]) is True


@pytest.mark.parametrize("told", [[5], [{"tool": "a"}], [{"name": ""}], [{"name": "a", "args": [1]}], [""], {"a": 1}])
def test_malformed_calls_are_an_error_of_the_case(told: Any) -> None:
    score = score_trial(tool_calls(), trial(expect={"calls": told}, steps=calls("a")))
    assert score.value is None
    assert "expect.calls must be a list of calls" in score.reason


def test_the_score_shows_what_was_due_and_what_was_made() -> None:
    score = score_trial(tool_calls(), trial(expect={"calls": ["a", "b"]}, steps=calls("a", "c")))
    assert score.evidence == {"expected": ["a", "b"], "made": ["a", "c"], "matched": 1}


def test_calls_that_nobody_reported_are_not_evaluated() -> None:
    assert score_trial(tool_calls(), trial(expect={"calls": []})).value is None


def test_metrics_that_judge_otherwise_have_other_names() -> None:
    made = [
        tool_calls(mode, arguments=arguments, credit=credit).spec.name
        for mode in MODES
        for arguments in ("exact", "subset", "ignore")
        for credit in ("all", "partial")
    ]
    assert len(set(made)) == len(made)


@pytest.mark.parametrize(
    "options",
    [{"mode": "any"}, {"arguments": "some"}, {"credit": "half"}, {"tolerance": 0.1}, {"ignore": ["x"]}],
)
def test_unknown_options_and_nameless_tolerances_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(MetricError):
        tool_calls(**options)


@given(made=NAMES)
def test_forbidden_tools_is_whether_none_of_them_was_called(made: list[str]) -> None:
    score = score_trial(forbidden_tools, trial(expect={"forbidden_tools": ["a", "z"]}, steps=calls(*made)))
    assert score.value is ("a" not in made)


@given(made=NAMES)
def test_steps_is_the_number_of_calls(made: list[str]) -> None:
    assert score_trial(steps, trial(steps=calls(*made))).value == len(made)


@given(made=NAMES)
def test_repeated_calls_do_not_depend_on_the_order(made: list[str]) -> None:
    values = {score_trial(repeated_calls, trial(steps=calls(*order))).value for order in list(permutations(made))[:20]}
    assert values == {float(len(made) - len(set(made)))}


def test_a_call_with_other_arguments_is_no_repetition() -> None:
    made = calls(("look", {"id": 1}), ("look", {"id": 2}), ("look", {"id": 1}))
    assert score_trial(repeated_calls, trial(steps=made)).value == 1


def test_an_agent_that_looped_until_its_time_was_up_is_counted() -> None:
    assert score_trial(repeated_calls, faulty(steps=calls("a", "a", "a"))).value == 2
