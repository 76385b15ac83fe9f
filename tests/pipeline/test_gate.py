"""The gate: one outcome a metric, each by its own rule, and the first in the order of the outcomes stands."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agenteval import stats
from pytest_agenteval.model.baseline import Bar
from pytest_agenteval.model.score import MetricSpec, Score
from pytest_agenteval.model.verdict import Outcome, Reason
from pytest_agenteval.pipeline.aggregate import measure
from pytest_agenteval.pipeline.bar import ERROR_RATE, effective_bar
from pytest_agenteval.pipeline.gate import judge, proven_despite_regrading
from pytest_agenteval.pipeline.looks import Gated, Policy, look
from tests.pipeline.measures import (
    BINARY,
    BOUNDED,
    COST,
    Values,
    baseline,
    binary,
    flipped,
    gated,
    measured,
    trials,
    verdict,
)

ERRORS = MetricSpec(name=ERROR_RATE, kind="binary", better="lower")
LATENCY = MetricSpec(name="latency_seconds", kind="unbounded", range=None, better="lower", aggregate="p50")
OLD = binary(160, 40)
Found = tuple[Outcome, Reason]


def said(one: Gated, mode: str = "merge") -> Found:
    found = verdict(one, mode)
    return found.outcome, found.reason


def test_a_run_that_excludes_a_loss_of_the_margin_passes() -> None:
    assert said(gated(OLD, OLD)) == (Outcome.PASS, Reason.NONE)


def test_a_proven_drop_larger_than_the_margin_is_regressed() -> None:
    assert said(gated(OLD, flipped(OLD, lost=40, won=1))) == (Outcome.REGRESSED, Reason.NONE)


def test_a_drop_that_is_not_proven_is_too_few_and_no_pass() -> None:
    one = gated(binary(77, 20), flipped(binary(77, 20), lost=17, won=6), bar=Bar(margin=0.05))
    assert said(one) == (Outcome.INCONCLUSIVE, Reason.TOO_FEW)
    assert said(one, "release") == (Outcome.INCONCLUSIVE, Reason.TOO_FEW)


def test_a_small_drop_that_is_proven_and_tolerated_passes_and_is_told() -> None:
    one = gated(OLD, flipped(OLD, lost=10), bar=Bar(margin=0.15))
    found = verdict(one)
    assert found.outcome is Outcome.PASS
    assert found.message.endswith("a loss of 0.15 is excluded; a small drop, proven")
    assert "small drop" not in verdict(gated(OLD, OLD)).message


@given(st.integers(0, 19), st.integers(0, 3))
def test_too_few_cases_never_pass(n: int, lost: int) -> None:
    old = binary(n, 1)
    one = gated(old, flipped(old, lost=min(lost, n)), bar=Bar(margin=0.9))
    assert len(old) <= 20
    if len(old) < 20:
        assert verdict(one).outcome is not Outcome.PASS


def test_without_a_baseline_a_good_value_is_no_pass() -> None:
    assert said(gated(None, OLD)) == (Outcome.NO_BASELINE, Reason.NONE)
    assert said(gated(None, OLD, bar=Bar(floor=0.5))) == (Outcome.NO_BASELINE, Reason.NONE)


def test_floor_and_ceiling_are_judged_without_a_baseline_too() -> None:
    assert said(gated(None, OLD, bar=Bar(floor=0.9))) == (Outcome.BELOW_FLOOR, Reason.NONE)
    costs: Values = {f"c{n}": [0.05 + n / 1000] for n in range(40)}
    assert said(gated(None, costs, spec=COST, bar=Bar(ceiling=0.02))) == (Outcome.BELOW_FLOOR, Reason.NONE)


@pytest.mark.parametrize(
    ("right", "merge", "release"),
    [
        (160, (Outcome.BELOW_FLOOR, Reason.NONE), (Outcome.BELOW_FLOOR, Reason.NONE)),
        (177, (Outcome.INCONCLUSIVE, Reason.FLOOR), (Outcome.INCONCLUSIVE, Reason.FLOOR)),
        (183, (Outcome.PASS, Reason.NONE), (Outcome.INCONCLUSIVE, Reason.FLOOR)),
        (195, (Outcome.PASS, Reason.NONE), (Outcome.PASS, Reason.NONE)),
    ],
)
def test_a_merge_is_stopped_by_a_proven_breach_of_the_floor_and_a_release_needs_proof_that_it_is_kept(
    right: int, merge: Found, release: Found
) -> None:
    old = binary(right, 200 - right)
    one = gated(old, old, bar=Bar(floor=0.9))
    assert (said(one), said(one, "release")) == (merge, release)


@pytest.mark.parametrize(
    ("value", "outcome"), [(0.03, Outcome.BELOW_FLOOR), (0.01, Outcome.PASS)], ids=["dear", "cheap"]
)
def test_a_ceiling_is_a_floor_turned_around(value: float, outcome: Outcome) -> None:
    costs: Values = {f"c{n}": [value + n / 10000] for n in range(40)}
    one = gated(costs, costs, spec=COST, bar=Bar(ceiling=0.02))
    assert verdict(one).outcome is outcome
    assert verdict(one, "release").outcome is outcome


def test_a_metric_under_its_floor_and_over_its_ceiling_at_once_is_below_floor() -> None:
    assert verdict(gated(OLD, OLD, bar=Bar(floor=0.99, ceiling=1.0))).outcome is Outcome.BELOW_FLOOR
    assert verdict(gated(OLD, OLD, bar=Bar(floor=0.1, ceiling=0.2))).outcome is Outcome.BELOW_FLOOR


def test_a_limit_that_no_value_can_break_is_not_broken() -> None:
    assert verdict(gated(OLD, OLD, bar=Bar(ceiling=1.0, margin=0.1))).outcome is Outcome.PASS


@pytest.mark.parametrize("mode", ["merge", "release"])
@pytest.mark.parametrize("values", [binary(0, 1), {"a": [0.0, 0.0]}, binary(0, 97)], ids=["one", "repeats", "many"])
def test_a_ceiling_of_zero_is_kept_by_no_error_and_needs_no_baseline(mode: str, values: Values) -> None:
    assert said(gated(None, values, spec=ERRORS, bar=Bar(ceiling=0.0)), mode) == (Outcome.PASS, Reason.NONE)


@pytest.mark.parametrize("values", [binary(1, 0), {"a": [1.0, 1.0]}, {"a": [0.0, 1.0]}, binary(1, 96)])
def test_a_ceiling_of_zero_is_broken_by_a_single_error(values: Values) -> None:
    assert verdict(gated(None, values, spec=ERRORS, bar=Bar(ceiling=0.0))).outcome is Outcome.BELOW_FLOOR


def test_another_ceiling_of_the_error_rate_needs_proof_like_any_other() -> None:
    values = binary(1, 96)
    assert said(gated(None, values, spec=ERRORS, bar=Bar(ceiling=0.1))) == (Outcome.PASS, Reason.NONE)
    few = gated(None, binary(1, 9), spec=ERRORS, bar=Bar(ceiling=0.05))
    assert said(few) == (Outcome.INCONCLUSIVE, Reason.FLOOR)


def test_an_error_rate_whose_ceiling_was_taken_away_has_nothing_to_be_held_to() -> None:
    assert verdict(gated(None, binary(0, 9), spec=ERRORS)).outcome is Outcome.NO_BASELINE


@pytest.mark.parametrize(
    "changed",
    [{"version": 2}, {"better": "lower"}, {"range": (0.0, 2.0)}, {"aggregate": "pass_hat_1"}],
    ids=lambda changed: next(iter(changed)),
)
def test_another_version_of_the_metric_is_incomparable(changed: dict[str, Any]) -> None:
    one = Gated(measured=measured(OLD, replace(BINARY, **changed)), bar=Bar(), baseline=baseline(OLD))
    assert said(one) == (Outcome.INCOMPARABLE, Reason.METRIC_VERSION)
    assert verdict(one).comparison is None


@pytest.mark.parametrize("common", [160, 159])
def test_under_eighty_percent_of_the_cases_in_common_nothing_is_concluded(common: int) -> None:
    kept = {case: OLD[case] for case in sorted(OLD)[:common]}
    one = gated(OLD, {**kept, **binary(40, 0, start=900)}, bar=Bar(margin=0.1))
    expected = (Outcome.PASS, Reason.NONE) if common == 160 else (Outcome.INCONCLUSIVE, Reason.CASE_SET)
    assert said(one) == expected


def test_edited_cases_are_not_in_common() -> None:
    edited = {case: "another question" for case in sorted(OLD)[:50]}
    assert said(gated(OLD, OLD, wording=edited)) == (Outcome.INCONCLUSIVE, Reason.CASE_SET)


def test_deleting_the_failing_cases_is_no_way_out() -> None:
    worse = flipped(OLD, lost=60)
    kept = {case: value for case, value in worse.items() if value == [1.0]}
    assert verdict(gated(OLD, kept)).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(("missing", "outcome"), [(10, Outcome.PASS), (11, Outcome.INCONCLUSIVE)])
def test_more_than_five_percent_missing_is_inconclusive(missing: int, outcome: Outcome) -> None:
    gone: Values = {**OLD, **{case: [None] for case in sorted(OLD)[:missing]}}
    found = verdict(gated(OLD, gone, bar=Bar(margin=0.05)))
    assert (found.outcome, found.reason is Reason.MISSING) == (outcome, outcome is not Outcome.PASS)


def test_a_metric_without_any_value_is_missing_and_no_pass() -> None:
    nothing: Values = {"a": [None]}
    assert said(gated(OLD, nothing)) == (Outcome.INCONCLUSIVE, Reason.MISSING)
    assert said(gated(None, nothing, spec=ERRORS, bar=Bar(ceiling=0.0))) == (Outcome.INCONCLUSIVE, Reason.MISSING)


def test_cases_that_do_not_ask_for_the_metric_are_not_missing() -> None:
    blank = Score(metric="success", value=None, reason="needs x", evidence={"needs": "expect.calls"})
    others = [trial.with_scores([blank]) for trial in trials(binary(50, 0, start=500))]
    one = replace(gated(OLD, OLD), measured=measure("s", BINARY, [*trials(OLD), *others]))
    assert said(one) == (Outcome.PASS, Reason.NONE)
    nothing = replace(one, measured=measure("s", BINARY, others))
    assert said(nothing) == (Outcome.INCONCLUSIVE, Reason.MISSING)


def test_part_of_a_suite_is_not_judged_even_where_everything_else_is_wrong() -> None:
    one = replace(gated(OLD, flipped(OLD, lost=90), bar=Bar(floor=0.9)), partial=True, loosened="floor")
    assert said(one) == (Outcome.INCONCLUSIVE, Reason.PARTIAL)
    assert verdict(one).comparison is None


def test_the_first_outcome_in_the_order_stands() -> None:
    broken = replace(
        gated(OLD, flipped(OLD, lost=90), bar=Bar(floor=0.9)),
        measured=measured(flipped(OLD, lost=90), replace(BINARY, version=2)),
        loosened="floor 0.8 where 0.9 was approved",
    )
    assert verdict(broken).outcome is Outcome.LOOSENED
    broken = replace(broken, loosened="")
    assert verdict(broken).outcome is Outcome.BELOW_FLOOR
    broken = replace(broken, bar=Bar())
    assert verdict(broken).outcome is Outcome.INCOMPARABLE
    broken = replace(broken, measured=measured({**flipped(OLD, lost=90), "x": [None]}))
    assert verdict(broken).outcome is Outcome.REGRESSED
    assert verdict(replace(broken, baseline=None)).outcome is Outcome.NO_BASELINE


# A quantile and an unbounded metric without a margin.


def test_a_quantile_has_no_drop_to_prove_and_passes_under_its_ceiling() -> None:
    slow: Values = {f"c{n:02}": [float(n)] for n in range(60)}
    assert said(gated(slow, slow, spec=LATENCY, bar=Bar(ceiling=90.0))) == (Outcome.PASS, Reason.NONE)
    assert said(gated(slow, slow, spec=LATENCY, bar=Bar(ceiling=9.0)))[0] is Outcome.BELOW_FLOOR


def test_an_unbounded_metric_without_a_margin_is_held_to_its_ceiling_alone() -> None:
    cheap: Values = {f"c{n:02}": [0.01] for n in range(40)}
    dear: Values = {f"c{n:02}": [0.01 + n / 1000] for n in range(40)}
    assert said(gated(cheap, dear, spec=COST, bar=Bar(ceiling=0.9))) == (Outcome.PASS, Reason.NONE)
    assert said(gated(cheap, dear, spec=COST, bar=Bar(margin=0.001)))[0] is Outcome.REGRESSED


def test_a_bounded_metric_tolerates_two_percent_of_its_range_unless_told() -> None:
    assert gated(None, OLD).margin == 0.02
    assert gated(None, OLD, spec=replace(BOUNDED, range=(0.0, 10.0))).margin == 0.2
    assert gated(None, OLD, spec=COST).margin is None
    assert gated(None, OLD, bar=Bar(margin=0.0)).margin == 0.0


# The scorer changed.


def answers(values: Values, changed: int) -> dict[str, str]:
    """The same answer for each case, but for the first ``changed`` ones."""
    return {case: f"{case} said {'so' if n < changed else 'this'}" for n, case in enumerate(sorted(values))}


def regraded(before: Values, now: Values, changed: int) -> Gated:
    return Gated(
        measured=measured(now, answers=answers(now, changed)),
        bar=Bar(),
        baseline=baseline(before, answers=answers(before, 0)),
    )


def test_a_real_drop_stands_although_a_few_equal_answers_were_scored_otherwise() -> None:
    before = binary(1200, 500)
    now = dict(before)
    for n in (*range(102), 1197, 1198, 1199):  # 102 of changed answers, 3 of equal ones
        now[f"c{n:04}"] = [0.0]
    for n in range(1200, 1241):  # 41 won by changed answers
        now[f"c{n:04}"] = [1.0]
    order = [f"c{n:04}" for n in (*range(102), *range(1200, 1241))]
    order += [case for case in sorted(before) if case not in order and case not in ("c1197", "c1198", "c1199")]
    fresh = set(order[:1237])
    old = {case: "this" for case in before}
    new = {case: "so" if case in fresh else "this" for case in before}
    one = Gated(measured=measured(now, answers=new), bar=Bar(), baseline=baseline(before, answers=old))
    found = verdict(one)
    assert found.comparison is not None
    assert (len(found.comparison.lost), len(found.comparison.won)) == (105, 41)
    assert (len(found.comparison.regraded), found.comparison.n_same_answers) == (3, 463)
    assert found.outcome is Outcome.REGRESSED


@pytest.mark.parametrize("flips", [1, 8])
@pytest.mark.parametrize("turned", [False, True], ids=["down", "up"])
def test_where_nothing_but_the_scores_of_equal_answers_changed_it_is_the_metric(flips: int, turned: bool) -> None:
    before = binary(1200, 500)
    now = flipped(before, lost=flips)
    sides = (now, before) if turned else (before, now)
    assert said(regraded(*sides, changed=0)) == (Outcome.INCOMPARABLE, Reason.METRIC_CHANGED)


def test_no_drop_at_all_does_not_make_a_changed_scorer_comparable() -> None:
    before = binary(100, 100)
    one = regraded(before, flipped(before, won=30), changed=100)
    assert said(one) == (Outcome.INCOMPARABLE, Reason.METRIC_CHANGED)


def test_a_proof_in_spite_of_regrading_is_for_verdicts_alone() -> None:
    policy = Policy()
    no_baseline = gated(None, OLD)
    assert not proven_despite_regrading(look([no_baseline], policy)[0], policy)
    soft: Values = {f"c{n}": [0.9] for n in range(40)}
    hard: Values = {f"c{n}": [0.1] for n in range(40)}
    same = {f"c{n}": "x" for n in range(20)}
    before = baseline(soft, BOUNDED, answers=same)
    one = Gated(measured=measured(hard, BOUNDED, answers=same), bar=Bar(), baseline=before)
    assert said(one) == (Outcome.INCOMPARABLE, Reason.METRIC_CHANGED)


# Several metrics.


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=5))
def test_a_family_of_verdicts_is_judged_as_the_statistics_say(pairs: list[tuple[int, int]]) -> None:
    old = binary(100, 100)
    several = [gated(old, flipped(old, won=b, lost=c)) for b, c in pairs]
    found = [one.outcome for one in judge(several, Policy())]
    words = stats.gate_family_binary([(b, c, 200) for b, c in pairs], 0.02, alpha_block=0.01)
    assert [str(one) for one in found] == [word.lower() for word in words]


def test_many_comparisons_make_each_drop_harder_to_prove() -> None:
    old = binary(100, 100)
    drop = gated(old, flipped(old, won=5, lost=18), bar=Bar(margin=0.01))
    assert verdict(drop).outcome is Outcome.REGRESSED
    calm = [gated(old, old) for _ in range(9)]
    first, *rest = judge([drop, *calm], Policy())
    assert first.outcome is Outcome.INCONCLUSIVE
    assert {one.outcome for one in rest} <= {Outcome.PASS, Outcome.INCONCLUSIVE}


def test_metrics_without_a_test_of_a_drop_do_not_count_in_the_family() -> None:
    old = binary(100, 100)
    drop = gated(old, flipped(old, won=5, lost=18), bar=Bar(margin=0.01))
    first, *_ = judge([drop, *[gated(None, old) for _ in range(9)]], Policy())
    assert first.outcome is Outcome.REGRESSED
    costs: Values = {case: [0.01] for case in old}
    first, *_ = judge([drop, *[gated(costs, costs, spec=COST) for _ in range(9)]], Policy())
    assert first.outcome is Outcome.REGRESSED
    assert judge([], Policy()) == []


@given(st.integers(0, 40), st.integers(0, 40), st.floats(0.001, 0.5))
def test_no_run_both_passes_and_regresses_and_more_losses_never_help(won: int, lost: int, margin: float) -> None:
    order = [Outcome.PASS, Outcome.INCONCLUSIVE, Outcome.REGRESSED]
    old = binary(100, 100)
    here = verdict(gated(old, flipped(old, won=won, lost=lost), bar=Bar(margin=margin))).outcome
    worse = verdict(gated(old, flipped(old, won=won, lost=lost + 10), bar=Bar(margin=margin))).outcome
    assert order.index(worse) >= order.index(here)


# The bar.


@pytest.mark.parametrize(
    ("wanted", "approved", "counts", "told"),
    [
        (Bar(floor=0.9), Bar(floor=0.8), Bar(floor=0.9), ""),
        (Bar(floor=0.7), Bar(floor=0.8), Bar(floor=0.8), "floor 0.7 where 0.8 was approved"),
        (Bar(ceiling=0.3), Bar(ceiling=0.2), Bar(ceiling=0.2), "ceiling 0.3 where 0.2 was approved"),
        (Bar(ceiling=0.1), Bar(ceiling=0.2), Bar(ceiling=0.1), ""),
        (Bar(margin=0.1), Bar(margin=0.02), Bar(margin=0.02), "margin 0.1 where 0.02 was approved"),
        (Bar(margin=0.0), Bar(margin=0.02), Bar(margin=0.0), ""),
        (Bar(), Bar(floor=0.8, margin=0.1), Bar(floor=0.8, margin=0.1), ""),
        (None, Bar(floor=0.8), Bar(floor=0.8), ""),
        (Bar(floor=0.9), Bar(), Bar(floor=0.9), ""),
        (Bar(margin=0.5), Bar(), Bar(margin=0.02), "margin 0.5 where 0.02 was approved"),
        (Bar(margin=0.01), Bar(), Bar(margin=0.01), ""),
        (
            Bar(floor=0.7, margin=0.5),
            Bar(floor=0.8, margin=0.1),
            Bar(floor=0.8, margin=0.1),
            "floor 0.7 where 0.8 was approved, margin 0.5 where 0.1 was approved",
        ),
    ],
)
def test_the_stricter_of_settings_and_approval_counts_and_a_looser_setting_is_told(
    wanted: Bar | None, approved: Bar, counts: Bar, told: str
) -> None:
    assert effective_bar(wanted, baseline(OLD, bar=approved), "success") == (counts, told)


def test_without_a_baseline_the_settings_count() -> None:
    assert effective_bar(Bar(floor=0.5), None, "success") == (Bar(floor=0.5), "")
    assert effective_bar(None, None, "success") == (Bar(), "")


def test_the_error_rate_has_a_ceiling_of_zero_unless_told() -> None:
    assert effective_bar(None, None, ERROR_RATE)[0] == Bar(ceiling=0.0)
    assert effective_bar(Bar(ceiling=0.1), None, ERROR_RATE)[0] == Bar(ceiling=0.1)


def test_a_loosened_metric_is_told_before_anything_else_about_it() -> None:
    bar, told = effective_bar(Bar(floor=0.1), baseline(OLD, bar=Bar(floor=0.9)), "success")
    found = verdict(Gated(measured=measured(OLD), bar=bar, baseline=baseline(OLD), loosened=told))
    assert found.outcome is Outcome.LOOSENED
    assert "floor 0.1 where 0.9 was approved" in found.message
