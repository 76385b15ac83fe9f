"""Where a metric's variance comes from, and which cases are flaky."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agenteval.model.estimate import CaseScores
from pytest_agenteval.model.score import MetricSpec
from pytest_agenteval.model.trajectory import Fault, Trajectory
from pytest_agenteval.pipeline.variance import (
    FlakyCase,
    attempts,
    attempts_words,
    case_regressions,
    flaky,
    flaky_words,
    variance,
    variance_words,
)
from tests.pipeline.measures import BINARY, BOUNDED, COST, trials

JUDGE = MetricSpec(name="tone", deterministic=False)
Scores = Mapping[str, Sequence[float]]


def scores(values: Scores, answers: Mapping[str, Sequence[str]] | None = None) -> dict[str, CaseScores]:
    told = answers or {}
    return {
        case: CaseScores(fingerprint="f", values=tuple(several), answers=tuple(told.get(case, ())))
        for case, several in values.items()
    }


names = st.text("abcdefgh", min_size=1, max_size=4)
verdicts = st.dictionaries(names, st.lists(st.sampled_from([0.0, 1.0]), min_size=2, max_size=6), min_size=2)
grades = st.dictionaries(names, st.lists(st.floats(0, 1), min_size=2, max_size=6), min_size=2)


@given(verdicts, st.randoms())
def test_neither_the_order_of_the_cases_nor_of_their_repeats_plays_a_part(values: Scores, random: object) -> None:
    shuffled = list(values.items())
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # a random.Random of hypothesis
    other = {case: sorted(several) for case, several in shuffled}
    assert variance(scores(values), BINARY) == variance(scores(other), BINARY)
    assert flaky(scores(values), BINARY) == flaky(scores(other), BINARY)


@given(grades)
def test_no_part_of_the_variance_is_negative_and_the_share_is_one(values: Scores) -> None:
    found = variance(scores(values), BOUNDED)
    assert found is not None
    assert found.within >= 0
    assert found.between is not None
    assert found.between >= 0
    assert found.icc is None or 0 <= found.icc <= 1


@given(st.lists(names, min_size=2, unique=True), st.floats(0, 1), st.integers(2, 5))
def test_equal_scores_have_no_variance_and_no_flaky_case(cases: list[str], value: float, repeats: int) -> None:
    same = scores({case: [value] * repeats for case in cases})
    found = variance(same, BOUNDED)
    assert found is not None
    assert (found.within, found.between, found.icc) == (0, 0, None)
    assert flaky(same, BOUNDED) == ()


@given(verdicts)
def test_other_names_of_the_cases_change_nothing_else(values: Scores) -> None:
    renamed = scores({f"new {case}": several for case, several in values.items()})
    assert variance(renamed, BINARY) == variance(scores(values), BINARY)
    assert flaky(renamed, BINARY) == tuple(
        replace(one, case=f"new {one.case}") for one in flaky(scores(values), BINARY)
    )


@given(verdicts)
def test_the_flake_rate_is_a_chance_and_nought_exactly_where_no_case_is_flaky(values: Scores) -> None:
    found = variance(scores(values), BINARY)
    assert found is not None
    assert found.flake_rate is not None
    assert 0 <= found.flake_rate <= 1
    assert (found.flake_rate == 0) == (flaky(scores(values), BINARY) == ())


def test_the_flake_rate_is_the_mean_chance_that_two_repeats_of_a_case_disagree() -> None:
    found = variance(scores({"a": [1, 1, 0], "b": [1, 1, 1], "c": [1]}), BINARY)
    assert found is not None
    assert found.flake_rate == pytest.approx((2 * 2 * 1 / (3 * 2) + 0) / 2)
    assert (found.n_repeated, found.fewest, found.most) == (2, 3, 3)


def test_cases_that_differ_and_repeats_that_do_not_are_all_between() -> None:
    found = variance(scores({"a": [1, 1], "b": [0, 0]}), BINARY)
    assert found is not None
    assert (found.icc, found.within, found.flake_rate) == (1, 0, 0)


def test_without_repeats_there_is_nothing_to_tell() -> None:
    assert variance(scores({"a": [1], "b": [0]}), BINARY) is None
    assert variance({}, BINARY) is None


def test_a_single_case_has_variance_within_it_and_none_that_can_be_told_between() -> None:
    found = variance(scores({"a": [1, 0]}), BINARY)
    assert found is not None
    assert (found.within, found.between, found.icc) == (0.5, None, None)


def test_the_judge_is_measured_where_it_scored_one_answer_several_times() -> None:
    answers = {"a": ["x", "x", "y"], "b": ["x", "z", "z"]}
    found = variance(scores({"a": [0.2, 0.4, 1.0], "b": [0.9, 0.5, 0.5]}, answers), JUDGE)
    assert found is not None
    assert found.judge == pytest.approx((0.02 + 0) / 2)
    assert found.no_judge == ""


def test_why_nothing_is_said_of_the_judge_is_told() -> None:
    values = {"a": [0.2, 0.4], "b": [0.9, 0.5]}
    never_twice = variance(scores(values, {"a": ["x", "y"], "b": ["x", "y"]}), JUDGE)
    no_judge = variance(scores(values, {"a": ["x", "x"], "b": ["x", "y"]}), BOUNDED)
    assert never_twice is not None
    assert no_judge is not None
    assert (never_twice.judge, no_judge.judge) == (None, None)
    assert never_twice.no_judge == "no answer was given twice, so nothing was judged twice"
    assert no_judge.no_judge == "not a judge's metric: equal answers have equal scores"


def test_flaky_cases_are_counted_by_what_is_right_and_the_flakiest_come_first() -> None:
    found = flaky(scores({"a": [1, 1, 1, 0], "b": [1, 0, 0, 1], "c": [1, 1, 1, 1], "d": [0, 0, 0, 0]}), BINARY)
    assert [(one.case, one.right, one.repeats) for one in found] == [("b", 2, 4), ("a", 3, 4)]
    errors = replace(BINARY, name="error_rate", better="lower")
    assert [one.right for one in flaky(scores({"a": [1, 0, 0]}), errors)] == [2]


def test_a_graded_case_is_flaky_by_more_than_rounding() -> None:
    found = flaky(scores({"a": [0.5, 0.5 + 1e-13], "b": [0.3, 0.4], "c": [0.1, 0.9]}), BOUNDED)
    assert [(one.case, one.right, one.words) for one in found] == [
        ("c", None, "0.1 to 0.9 in 2"),
        ("b", None, "0.3 to 0.4 in 2"),
    ]


def test_seconds_and_costs_always_differ_so_no_case_is_flaky_by_them() -> None:
    assert flaky(scores({"a": [1.0, 2.0]}), COST) == ()
    found = variance(scores({"a": [1.0, 2.0], "b": [5.0, 6.0]}), COST)
    assert found is not None
    assert found.flake_rate is None


def test_attempts_have_each_value_in_order_whatever_the_aggregate_and_leave_out_what_has_none() -> None:
    made = trials({"b": [1.0, 0.0, None], "a": [None, 1.0], "c": [None]}, replace(BINARY, aggregate="pass_hat_2"))
    found = attempts(list(reversed(made)), ["success"])["success"]
    assert {case: one.values for case, one in found.items()} == {"a": (1.0,), "b": (1.0, 0.0)}
    assert found["b"].answers == tuple(one.answer_digest for one in made[:2])


def test_an_error_of_the_agent_is_no_answer_that_was_judged_twice() -> None:
    fault = Fault(kind="agent", type="ValueError", message="boom")
    erred = [replace(one, trajectory=Trajectory(error=fault), answer_digest="") for one in trials({"a": [0.0, 0.0]})]
    found = variance(attempts(erred, ["success"])["success"], replace(BINARY, deterministic=False))
    assert found is not None
    assert found.judge is None


def test_variance_is_told_in_one_line() -> None:
    found = variance(scores({"a": [1, 1, 0], "b": [1, 1, 1], "c": [0, 0, 0]}), BINARY)
    assert found is not None
    assert variance_words("success", found) == (
        "success: 67 % of the variance is between cases; two runs disagree on 22 % of the cases"
    )
    alone = variance(scores({"a": [0.25, 0.75]}), BOUNDED)
    assert alone is not None
    assert variance_words("f1", alone) == "f1: its repeats vary by 0.3536 (standard deviation)"
    judged = variance(scores({"a": [0.25, 0.75], "b": [0.5, 0.5]}, {"a": ["x", "x"]}), JUDGE)
    assert judged is not None
    assert "; the judge scores one and the same answer 0.35 apart" in variance_words("tone", judged)
    assert (attempts_words(5, 5), attempts_words(2, 5)) == ("5 attempts", "2 to 5 attempts")


def test_no_more_than_eight_flaky_cases_are_named() -> None:
    many = [FlakyCase(case=f"c{n}", repeats=5, low=0, high=1, right=2) for n in range(10)]
    assert flaky_words(many[:2]) == "c0 (2 of 5), c1 (2 of 5)"
    assert flaky_words(many[:2], {"c1"}) == "c0 (2 of 5), c1 (2 of 5, quarantined)"
    assert flaky_words(many).endswith("c7 (2 of 5) and 2 more")


def test_a_case_that_succeeds_less_often_than_in_its_baseline_is_told_by_its_own_repeats() -> None:
    before = scores({"a": [1, 1, 1, 1, 1], "b": [1, 1, 1, 1, 1], "c": [0, 0, 0, 0, 1], "new": [1]})
    now = scores({"a": [0, 0, 0, 0, 1], "b": [1, 1, 1, 0, 1], "c": [1, 1, 1, 1, 1]})
    [found] = case_regressions(before, now, BINARY)
    assert (found.case, found.before, found.now) == ("a", (5, 5), (1, 5))
    # mid-p of 1 among 6 successes of 10 in 5 of them: 5/210/2 = .0119; times 3 cases.
    assert found.q_value == pytest.approx(3 * 2.5 / 210)


def test_many_cases_that_were_looked_at_make_one_that_fell_less_sure() -> None:
    still = {f"c{n}": [1.0] * 5 for n in range(30)}
    before, now = scores({"a": [1] * 5, **still}), scores({"a": [1, 0, 0, 0, 0], **still})
    assert case_regressions(before, now, BINARY) == ()


def test_errors_that_grow_more_are_a_fall_and_graded_or_edited_cases_are_not_tested() -> None:
    before, now = scores({"a": [0] * 6}), scores({"a": [1] * 6})
    assert len(case_regressions(before, now, replace(BINARY, better="lower"))) == 1
    assert case_regressions(before, now, BINARY) == ()
    assert case_regressions(now, scores({"a": [0.5] * 6}), BINARY) == ()
    edited = {"a": CaseScores(fingerprint="other", values=(0.0,) * 6)}
    assert case_regressions(now, edited, BINARY) == ()
