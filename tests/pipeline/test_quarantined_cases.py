"""Cases that are left out of a baseline leave no trace in what it is compared with."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pytest_agenteval.model.estimate import CaseScores
from pytest_agenteval.pipeline.gate import asked_again, judge
from pytest_agenteval.pipeline.looks import Gated, Policy, without
from tests.pipeline.measures import baseline, binary, flipped, measured

FIVE = st.sampled_from(["a", "b", "c", "d", "e"])
values = st.dictionaries(FIVE, st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=3), min_size=1)


@given(values, st.frozensets(FIVE))
def test_a_baseline_without_some_cases_is_that_of_the_others(made: dict[str, list[float]], out: frozenset[str]) -> None:
    whole, left = baseline(made), {case: several for case, several in made.items() if case not in out}
    found = without(whole, out)
    assert found.screen.keys() == left.keys()
    assert found.estimate == measured(left).estimate
    assert without(whole, frozenset({"nobody"})) == whole


def test_values_that_are_held_back_go_too_and_count_in_the_estimate() -> None:
    held = {case: CaseScores(fingerprint="f", values=(0.0,)) for case in ("a", "b")}
    whole = replace(baseline({"a": [1.0], "b": [1.0], "c": [1.0]}), held_back=held)
    found = without(whole, frozenset({"a"}))
    assert (set(found.held_back), found.estimate.n, found.estimate.value) == ({"b"}, 2, 0.75)


def test_the_second_look_does_not_ask_for_what_is_quarantined() -> None:
    before = binary(100, 0)
    held = {case: CaseScores(fingerprint="f", values=(1.0,)) for case in before}
    approved = replace(baseline(before), held_back=held)
    now = flipped(before, lost=40)
    out = frozenset(list(before)[:5])
    one = Gated(
        measured=measured({case: several for case, several in now.items() if case not in out}),
        bar=approved.bar,
        baseline=without(approved, out),
        looks_again=True,
        n_quarantined=len(out),
    )
    [asked] = asked_again([one], judge([one], Policy())).values()
    assert len(asked) == 95
    assert not asked & out
