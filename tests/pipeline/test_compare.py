"""A run against a reference, paired by case: what is common, what changed, and whether that is worse."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agenteval import stats
from pytest_agenteval.model.score import MetricSpec, Score
from pytest_agenteval.model.verdict import Comparison
from pytest_agenteval.pipeline.aggregate import measure
from pytest_agenteval.pipeline.compare import compare, is_paired
from tests.pipeline.measures import BINARY, BOUNDED, COST, Values, binary, flipped, measured, trials

LOWER = MetricSpec(name="success", kind="binary", better="lower")
UNIT = st.floats(0, 1)
BIT = st.sampled_from([0.0, 1.0])


def compared(before: Values, now: Values, spec: MetricSpec = BINARY, **how: Any) -> Comparison:
    """``was`` and ``told`` say how the trials of the reference and of the run are made."""
    reference = measured(before, spec, **how.get("was", {}))
    return compare(
        reference.cases, reference.estimate, measured(now, spec, **how.get("told", {})), margin=how.get("margin", 0.02)
    )


def test_added_removed_and_edited_cases_are_listed_and_never_enter_the_difference() -> None:
    before: Values = {"same": [1.0], "gone": [1.0], "edited": [1.0]}
    now: Values = {"same": [1.0], "new": [0.0], "edited": [0.0]}
    found = compared(before, now, told={"wording": {"edited": "another question"}})
    assert (found.added, found.removed, found.edited) == (("new",), ("gone",), ("edited",))
    assert (found.n_pairs, found.delta, found.lost, found.won) == (1, 0.0, (), ())


def test_a_case_whose_value_is_missing_is_neither_added_nor_removed() -> None:
    found = compared({"a": [1.0], "b": [1.0]}, {"a": [1.0], "b": [None], "c": [None]})
    assert (found.added, found.removed, found.edited, found.n_pairs) == ((), (), (), 1)


def test_a_case_that_lost_its_expectation_is_removed_as_far_as_the_metric_goes() -> None:
    reference = measured({"a": [1.0], "b": [0.0]})
    first, second = trials({"a": [1.0], "b": [0.0]})
    blank = Score(metric="success", value=None, reason="needs x", evidence={"needs": "expect.contains"})
    now = measure("s", BINARY, [first, second.with_scores([blank])])
    assert compare(reference.cases, reference.estimate, now).removed == ("b",)


def test_nothing_in_common_gives_no_difference_and_no_test() -> None:
    found = compared({"a": [1.0]}, {"b": [1.0]})
    assert (found.n_pairs, found.delta, found.p_value, found.test) == (0, None, None, "")


def test_single_verdicts_are_tested_by_mcnemar_and_bounded_by_tango() -> None:
    found = compared(binary(77, 20), flipped(binary(77, 20), lost=17, won=6))
    assert (len(found.lost), len(found.won), found.n_pairs) == (17, 6, 97)
    assert found.p_value == stats.mcnemar(6, 17, alternative="less")
    assert f"{found.p_value:.4f}" == "0.0113"
    assert (found.low, found.high) == stats.tango_bounds(6, 17, 97, 0.05)
    assert found.delta == pytest.approx(-11 / 97)
    assert found.test == "McNemar mid-p"


def test_repeats_of_verdicts_are_no_longer_verdicts() -> None:
    before: Values = {f"c{n}": [1.0, 0.0] for n in range(5)}
    now: Values = {f"c{n}": [0.0, 0.0] for n in range(5)}
    found = compared(before, now)
    assert (found.test, found.delta) == ("sign flips", -0.5)
    assert found.p_value == pytest.approx(1 / 32)
    assert (found.low, found.high) == stats.paired_bounds([-0.5] * 5, 0.05, 1.0)


def test_sides_of_unequal_repeats_are_paired_by_the_means_of_the_case() -> None:
    found = compared({"a": [1.0, 1.0, 0.0, 1.0], "b": [1.0]}, {"a": [1.0], "b": [0.0, 1.0]})
    assert found.delta == pytest.approx((0.25 - 0.5) / 2)
    assert (found.won, found.lost) == (("a",), ("b",))
    assert found.test == "paired t"  # sides drawn unlike each other may not be exchanged


def test_with_twenty_changes_or_more_the_t_test_is_taken() -> None:
    before: Values = {f"c{n:02}": [0.5] for n in range(40)}
    now: Values = {f"c{n:02}": [0.5 - n / 100] for n in range(40)}
    found = compared(before, now, BOUNDED)
    assert found.test == "paired t"
    assert found.p_value == pytest.approx(stats.paired_t_pvalue([0.5] * 40, [0.5 - n / 100 for n in range(40)]))


def test_nothing_changed_is_no_evidence_of_a_drop() -> None:
    found = compared({"a": [0.5], "b": [0.25]}, {"a": [0.5], "b": [0.25]}, BOUNDED)
    assert (found.delta, found.p_value, found.lost, found.won) == (0.0, 1.0, (), ())


@pytest.mark.parametrize("spec", [COST, replace(BOUNDED, range=(0.0, 5.0))], ids=["unbounded", "to five"])
def test_noughts_and_ones_of_a_wider_range_are_no_verdicts(spec: MetricSpec) -> None:
    found = compared(binary(40, 10), binary(40, 10), spec)
    assert found.test == "sign flips"
    assert found.low is None or found.low < -0.2


def test_an_unbounded_metric_needs_thirty_pairs_for_a_bound() -> None:
    def costs(n: int, add: float) -> Values:
        return {f"c{k:02}": [0.01 * k + add * (k % 3)] for k in range(n)}

    few, enough = (compared(costs(n, 0.0), costs(n, 0.1), COST) for n in (29, 30))
    assert (few.low, few.high) == (None, None)
    assert None not in (enough.low, enough.high)
    assert len(enough.lost) == 20
    assert (enough.delta or 0) > 0


@pytest.mark.parametrize("aggregate", ["p95", "ece"])
def test_a_quantile_or_an_ece_has_no_value_per_case_to_pair(aggregate: str) -> None:
    spec = replace(BOUNDED, aggregate=aggregate)
    assert not is_paired(spec)
    if aggregate == "p95":
        found = compared({"a": [0.5]}, {"a": [0.7]}, spec)
        assert (found.delta, found.p_value, found.n_pairs) == (None, None, 1)
        assert (found.reference.value, found.current.value) == (0.5, 0.7)


@pytest.mark.parametrize("spec", [BINARY, replace(BINARY, aggregate="pass_hat_3")])
def test_means_and_pass_k_are_paired(spec: MetricSpec) -> None:
    assert is_paired(spec)


@given(st.lists(st.tuples(BIT, BIT) | st.tuples(UNIT, UNIT), min_size=1, max_size=30))
def test_where_less_is_better_everything_is_mirrored(pairs: list[tuple[float, float]]) -> None:
    before: Values = {f"c{n:02}": [one] for n, (one, _) in enumerate(pairs)}
    now: Values = {f"c{n:02}": [other] for n, (_, other) in enumerate(pairs)}
    higher = compared(now, before)
    lower = compared(before, now, LOWER)
    assert (lower.lost, lower.won, lower.p_value) == (higher.lost, higher.won, higher.p_value)
    assert lower.delta == pytest.approx(-(higher.delta or 0.0))
    assert lower.low == pytest.approx(-(higher.high or 0.0))
    assert lower.high == pytest.approx(-(higher.low or 0.0))


@given(st.lists(st.tuples(UNIT, UNIT), min_size=2, max_size=30))
def test_the_bounds_hold_the_difference_and_swapping_the_sides_turns_it(pairs: list[tuple[float, float]]) -> None:
    before: Values = {f"c{n:02}": [one] for n, (one, _) in enumerate(pairs)}
    now: Values = {f"c{n:02}": [other] for n, (_, other) in enumerate(pairs)}
    there, back = compared(before, now, BOUNDED), compared(now, before, BOUNDED)
    assert there.delta == pytest.approx(-(back.delta or 0.0), abs=1e-12)
    assert (there.lost, there.won) == (back.won, back.lost)
    assert there.low is not None
    assert there.high is not None
    assert there.low - 1e-9 <= (there.delta or 0.0) <= there.high + 1e-9


def test_equal_answers_that_are_scored_otherwise_are_regraded() -> None:
    said = {"a": "yes", "b": "yes", "c": "no"}
    found = compared(
        {"a": [1.0], "b": [1.0], "c": [1.0]},
        {"a": [0.0], "b": [1.0], "c": [1.0]},
        was={"answers": said},
        told={"answers": {**said, "c": "perhaps"}},
    )
    assert (found.regraded, found.n_same_answers) == (("a",), 2)


def test_an_answer_that_both_sides_have_among_several_attempts_is_enough() -> None:
    before = measured({"a": [1.0, 0.0]})
    [first, _] = trials({"a": [1.0, 0.0]})
    now = measure("s", BINARY, [first.with_scores([Score(metric="success", value=0.0)])])
    found = compare(before.cases, before.estimate, now)
    assert (found.regraded, found.n_same_answers) == (("a",), 1)


@pytest.mark.parametrize("spec", [replace(BINARY, deterministic=False), COST])
def test_of_a_judge_or_a_clock_it_cannot_be_said_that_it_changed(spec: MetricSpec) -> None:
    same = {"answers": {"a": "x"}}
    found = compared({"a": [1.0]}, {"a": [0.0]}, spec, was=same, told=same)
    assert (found.regraded, found.n_same_answers) == ((), 0)


@pytest.mark.parametrize(
    ("gains", "margin", "known"),
    [([0.1, -0.1, 0.0], 0.02, True), ([0.0, 0.0], 0.02, True), ([0.1], 0.02, False), ([0.1, -0.1], None, False)],
)
def test_how_many_cases_would_settle_it_is_told_from_two_cases_on(
    gains: list[float], margin: float | None, known: bool
) -> None:
    before = measured({f"c{n}": [0.5] for n in range(len(gains))}, BOUNDED)
    now = measured({f"c{n}": [0.5 + gain] for n, gain in enumerate(gains)}, BOUNDED)
    found = compare(before.cases, before.estimate, now, margin=margin)
    assert (found.cases_needed is not None) == known
    assert found.cases_needed is None or found.cases_needed >= 1


def test_a_loss_that_was_seen_counts_where_there_are_cases_enough_for_a_run_without_one() -> None:
    old = binary(300, 100)
    found = compared(old, flipped(old, lost=14), margin=0.05)
    assert found.cases_needed is not None
    assert found.cases_needed > 400
    assert compared(old, flipped(old, lost=20), margin=0.05).cases_needed is None


def test_before_and_now_are_means_of_the_pairs_and_delta_lies_between_them() -> None:
    found = compared({"a": [1.0], "b": [0.0], "gone": [1.0]}, {"a": [0.0], "b": [0.0], "new": [1.0]})
    assert (found.before, found.now, found.delta) == (0.5, 0.0, -0.5)
