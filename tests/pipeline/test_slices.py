"""A metric over the cases of a tag: told beside the whole, and gating for itself where that is asked."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agenteval.model.baseline import Bar
from pytest_agenteval.model.verdict import Outcome, Reason, SliceFinding, Verdict
from pytest_agenteval.pipeline.gate import judge
from pytest_agenteval.pipeline.looks import Gated, Policy
from pytest_agenteval.pipeline.slices import slice_of
from tests.pipeline.measures import Values, binary, doubtful, flipped, gated, verdict

OLD = binary(160, 40)


def tagged(one: Gated, **tags: range) -> Gated:
    """The metric, of whose cases these (by number) bear the tags."""
    slices = {tag: frozenset(f"c{n:04}" for n in numbers) for tag, numbers in tags.items()}
    return replace(one, measured=replace(one.measured, slices=slices))


def found(verdict_: Verdict, tag: str) -> SliceFinding:
    [one] = [one for one in verdict_.slices if one.tag == tag]
    return one


def test_a_drop_that_sits_in_one_slice_is_told_beside_a_whole_that_passes() -> None:
    now = flipped(OLD, lost=10)
    judged = verdict(tagged(gated(OLD, now, bar=Bar(margin=0.09)), vip=range(20), rest=range(20, 200)))
    assert judged.outcome is Outcome.PASS
    vip, rest = found(judged, "vip"), found(judged, "rest")
    assert (vip.fell, vip.estimate.value, vip.estimate.n, vip.estimate.slice) == (True, 0.5, 20, "vip")
    assert (len(vip.comparison.lost), vip.comparison.delta) == (10, -0.5)
    assert (rest.fell, rest.comparison.delta) == (False, 0.0)


def test_a_slice_that_says_no_more_than_its_cases_or_the_whole_is_left_out() -> None:
    one = tagged(gated(OLD, OLD), few=range(4), all=range(200), some=range(5))
    assert [each.tag for each in verdict(one).slices] == ["some"]


def test_nothing_is_told_of_slices_without_a_baseline() -> None:
    assert verdict(tagged(gated(None, OLD), vip=range(20))).slices == ()


def test_the_more_slices_there_are_the_more_it_takes_to_call_one_fallen() -> None:
    now = flipped(OLD, lost=5)
    alone = tagged(gated(OLD, now), vip=range(20))
    many = tagged(gated(OLD, now), vip=range(20), **{f"t{n}": range(20 + 5 * n, 30 + 5 * n) for n in range(30)})
    first, second = found(verdict(alone), "vip"), found(verdict(many), "vip")
    assert first.fell
    assert not second.fell
    assert first.q_value is not None
    assert second.q_value is not None
    assert first.q_value < second.q_value


def test_a_slice_that_gates_stops_a_merge_which_the_whole_would_let_pass() -> None:
    whole = tagged(gated(OLD, flipped(OLD, lost=10), bar=Bar(margin=0.09)), vip=range(20))
    one, part = judge([whole, slice_of(whole, "vip")], Policy())
    assert one.outcome is Outcome.PASS
    assert (part.outcome, part.slice, part.metric) == (Outcome.REGRESSED, "vip", "success")


def test_a_slice_gates_by_the_margin_and_not_by_the_floor_of_the_whole() -> None:
    whole = tagged(gated(OLD, OLD, bar=Bar(margin=0.2, floor=0.75)), low=range(150, 200))
    assert verdict(slice_of(whole, "low")).outcome is Outcome.PASS


def test_a_slice_that_gates_counts_in_the_family() -> None:
    now: Values = flipped(OLD, won=3, lost=14)
    whole = tagged(gated(OLD, now), calm=range(100, 120))
    alone = verdict(whole).outcome
    several = judge([whole, *[slice_of(whole, "calm") for _ in range(9)]], Policy())
    assert alone is Outcome.REGRESSED
    assert several[0].outcome is Outcome.INCONCLUSIVE


@given(st.integers(0, 60), st.integers(0, 40))
def test_the_slices_of_a_partition_add_up_to_the_whole(lost: int, won: int) -> None:
    one = tagged(gated(OLD, flipped(OLD, lost=lost, won=won)), a=range(90), b=range(90, 200))
    judged = verdict(one)
    assert judged.comparison is not None
    parts = [each.comparison for each in judged.slices]
    assert sum(len(part.lost) for part in parts) == len(judged.comparison.lost) == lost
    total = sum((part.delta or 0.0) * part.n_pairs for part in parts)
    assert total / 200 == pytest.approx(judged.comparison.delta)


def test_a_slice_whose_cases_went_missing_does_not_pass_by_those_that_are_left() -> None:
    """A twentieth of the suite is missing, and a fifth of the slice."""
    old: Values = {f"c{n:04}": [1.0] for n in range(400)}
    now: Values = {**old, **{f"c{n:04}": [None] for n in range(20)}}
    whole = tagged(gated(old, now, bar=Bar(margin=0.1)), vip=range(100))
    assert verdict(whole).outcome is Outcome.PASS
    found_ = verdict(slice_of(whole, "vip"))
    assert (found_.outcome, found_.reason) == (Outcome.INCONCLUSIVE, Reason.MISSING)
    assert (found_.estimate.n, found_.estimate.n_not_evaluated) == (80, 20) if found_.estimate else False


def test_a_slice_of_which_nothing_is_held_back_is_judged_by_one_look() -> None:
    one = doubtful(flipped(OLD, lost=15), None, OLD)
    assert one.baseline is not None
    kept = {case: scores for case, scores in one.baseline.held_back.items() if case >= "c0040"}
    whole = tagged(replace(one, baseline=replace(one.baseline, held_back=kept)), vip=range(40))
    part = slice_of(whole, "vip")
    assert (whole.looks_again, part.looks_again) == (True, False)
    assert verdict(part).outcome is Outcome.REGRESSED
