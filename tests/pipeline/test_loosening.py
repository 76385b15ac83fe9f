"""What counts as looser: every lowered bar, and nothing that is as strict or stricter."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agenteval.errors import InvalidValue
from pytest_agenteval.model.baseline import Bar, Baseline
from pytest_agenteval.model.loosening import Loosening, LooseningApproval
from pytest_agenteval.model.score import MetricSpec
from pytest_agenteval.pipeline.loosening import loosenings
from pytest_agenteval.pipeline.rules import CaseRule, Rules
from tests.pipeline.measures import AT, BINARY, COST, baseline

LIMITS = st.one_of(st.none(), st.floats(0, 1))
BARS = st.builds(Bar, floor=LIMITS, ceiling=LIMITS, margin=LIMITS, slices=st.sampled_from([(), ("fr",), ("fr", "de")]))
CASES = {"c1": CaseRule(fingerprint="f1", tags=("must_pass", "fr")), "c2": CaseRule(fingerprint="f2")}


def rules(bar: Bar | None = None, **changes: Any) -> Rules:
    """A suite ``s`` that gates on ``success``, has a baseline and two cases, and ran."""
    found = Rules(
        gates={"s": {"success": bar or Bar(floor=0.5)}},
        baselines={("s", "success"): baseline({"c1": [1.0], "c2": [1.0]})},
        suites=frozenset({"s"}),
        cases={"s": CASES},
        complete=frozenset({"s"}),
        specs={"success": BINARY},
        built_in=frozenset({"success"}),
    )
    return replace(found, **changes)


def guards(base: Rules, head: Rules) -> list[str]:
    return [one.guard for one in loosenings(base, head)]


@given(bar=BARS)
def test_the_same_rules_are_not_looser(bar: Bar) -> None:
    assert loosenings(rules(bar), rules(bar)) == ()


@given(one=BARS, other=BARS)
def test_of_two_bars_that_differ_at_least_one_way_round_is_looser_or_both_are_equal_in_force(
    one: Bar, other: Bar
) -> None:
    there, back = guards(rules(one), rules(other)), guards(rules(other), rules(one))
    in_force = [rules(bar).bar("s", "success", BINARY) for bar in (one, other)]
    assert there or back or in_force[0] == in_force[1]


@given(floor=st.floats(0, 1), lower=st.floats(0, 1))
def test_a_floor_may_rise_and_not_fall(floor: float, lower: float) -> None:
    found = guards(rules(Bar(floor=floor)), rules(Bar(floor=lower)))
    assert found == (["floor"] if lower < floor else [])


@given(margin=st.floats(0, 1), other=st.floats(0, 1))
def test_a_margin_may_shrink_and_not_grow(margin: float, other: float) -> None:
    base, head = (rules(Bar(margin=value), baselines={}) for value in (margin, other))
    assert guards(base, head) == (["margin"] if other > margin else [])


def test_a_margin_that_was_not_set_is_the_default() -> None:
    assert guards(rules(Bar()), rules(Bar(margin=0.02))) == []
    [found] = loosenings(rules(Bar()), rules(Bar(margin=0.03)))
    assert found.words == "margin in the settings: 0.02 in the base, 0.03 here"


def test_of_an_unbounded_metric_to_take_the_margin_out_is_to_compare_no_more() -> None:
    base = rules(gates={"s": {"cost_usd": Bar(margin=0.1)}}, specs={"cost_usd": COST}, baselines={})
    head = replace(base, gates={"s": {"cost_usd": Bar()}})
    assert guards(base, head) == ["margin"]


def test_a_parametrised_suite_has_the_bar_of_the_plain_one_unless_its_own_is_looser() -> None:
    base = rules(baselines={}, suites=frozenset({"s[gpt]"}), cases={"s": CASES})
    head = replace(base, cases={"s[gpt]": CASES})
    assert guards(base, head) == []
    own = {**base.gates, "s[gpt]": {"success": Bar(floor=0.1)}}
    assert guards(base, replace(head, gates=own)) == ["floor"]


def test_a_case_that_one_agent_is_no_longer_asked_is_removed_though_another_is() -> None:
    both = {("s[a]", "success"): baseline({"c1": [1.0]}), ("s[b]", "success"): baseline({"c1": [1.0]})}
    base = rules(baselines=both, suites=frozenset({"s[a]", "s[b]"}))
    head = replace(base, cases={"s[a]": CASES, "s[b]": {"c2": CASES["c2"]}})
    assert [(one.guard, one.suite) for one in loosenings(base, head)] == [("case_removed", "s[b]")]


def test_a_case_of_a_stale_baseline_that_the_bases_files_no_longer_have_is_not_missed() -> None:
    old = {("s", "success"): baseline({"c1": [1.0], "c2": [1.0], "gone": [1.0]})}
    assert guards(rules(baselines=old), rules(baselines=old)) == []
    assert guards(rules(baselines=old, complete=frozenset()), rules(baselines=old)) == ["case_removed"]


def test_a_case_of_a_suite_of_which_only_a_part_ran_is_not_called_removed() -> None:
    head = rules(cases={"s": {"c1": CASES["c1"]}})
    assert guards(rules(), head) == ["case_removed"]
    assert guards(rules(), replace(head, partial=frozenset({"s"}))) == []


def test_cases_of_a_suite_that_did_not_run_are_told_as_one_suite() -> None:
    assert guards(rules(), rules(suites=frozenset(), cases={})) == ["suite_deselected"]


def test_a_longer_quarantine_is_looser_and_a_shorter_one_is_not() -> None:
    days = [("2026-11-20", "2026-12-01"), ("2026-11-20", "2026-12-24"), ("2026-11-10", "2026-12-01")]
    short, later, earlier = ({"s": {"c1": both}} for both in days)
    for longer in (later, earlier):
        assert guards(rules(quarantined=short), rules(quarantined=longer)) == ["quarantined"]
        assert guards(rules(quarantined=longer), rules(quarantined=short)) == []
    assert guards(rules(quarantined=later), rules(quarantined=earlier)) == ["quarantined"]
    assert guards(rules(quarantined=later), rules()) == []


def test_a_baseline_is_not_got_rid_of_by_giving_its_suite_a_parameter() -> None:
    own = {**rules().baselines, ("s[gpt]", "success"): baseline({"c1": [0.0], "c2": [0.0]})}
    head = rules(baselines=own, suites=frozenset({"s[gpt]"}), cases={"s[gpt]": CASES})
    assert guards(rules(), head) == ["suite_deselected"]
    assert guards(rules(), replace(head, suites=head.suites | {"s"}, cases={"s": CASES, "s[gpt]": CASES})) == []
    without = rules(baselines={})
    assert guards(without, replace(head, baselines={("s[gpt]", "success"): own["s[gpt]", "success"]})) == []


def test_a_case_that_runs_must_be_asked_for_the_metric_that_its_baseline_has() -> None:
    asked = {("s", "success"): frozenset({"c1"}), ("s", "exact"): frozenset({"c1", "c2"})}
    [found] = loosenings(rules(), rules(asked=asked))
    assert found.words == "case 'c2': has the metric in the base, is not asked for it here"
    assert found.guard == "case_not_scored"
    assert guards(rules(), rules(asked={("s", "success"): frozenset({"c1", "c2"})})) == []
    assert guards(rules(baselines={}), rules(baselines={}, asked=asked)) == []
    assert guards(rules(), rules(asked=asked, partial=frozenset({"s"}))) == []


def test_a_case_that_was_there_joins_no_gating_slice_and_a_new_one_may() -> None:
    vip = Bar(slices=("vip",))
    joined = {"c1": replace(CASES["c1"], tags=("must_pass", "fr", "vip")), "c2": CASES["c2"]}
    new = {**CASES, "c3": CaseRule(fingerprint="f3", tags=("vip",))}
    assert guards(rules(vip), rules(vip, cases={"s": joined})) == ["slice_tag"]
    assert guards(rules(vip), rules(vip, cases={"s": new})) == []
    assert guards(rules(), rules(cases={"s": joined})) == []
    assert guards(rules(vip, cases={}), rules(vip, cases={"s": joined})) == []  # made by code: its tags are not known


def swapped(run: str = "another") -> dict[tuple[str, str], Baseline]:
    """The baseline of ``MIXED`` with the values of two cases exchanged, made from that run."""
    found = baseline({"c1": [0.0], "c2": [1.0]})
    return {("s", "success"): replace(found, approval=replace(found.approval, run=run))}


MIXED = {("s", "success"): baseline({"c1": [1.0], "c2": [0.0]})}


def test_values_do_not_change_while_the_run_they_are_from_stays() -> None:
    of_the_run = MIXED["s", "success"].approval.run
    assert guards(rules(baselines=MIXED), rules(baselines=swapped(of_the_run))) == ["baseline_rewritten"]
    assert guards(rules(baselines=MIXED), rules(baselines=swapped())) == []


def test_a_baseline_of_the_same_mean_is_lower_where_a_gating_slice_is() -> None:
    fr = Bar(slices=("fr",))
    [found] = loosenings(rules(fr, baselines=MIXED), rules(fr, baselines=swapped()))
    assert found.guard == "baseline_lower"
    assert found.what == "screen values of the baseline, mean of 1 common cases of slice 'fr'"
    tighter = rules(fr, baselines=MIXED)
    assert guards(rules(fr, baselines=swapped()), tighter) == []


def test_what_is_new_is_free() -> None:
    new = {"new": {"success": Bar(), "error_rate": Bar(ceiling=0.9)}}
    head = rules(gates={**rules().gates, **new}, suites=frozenset({"s", "new"}), cases={"s": CASES, "new": CASES})
    assert guards(rules(), head) == []


@pytest.mark.parametrize(
    ("changes", "guard"),
    [
        ({"better": "lower"}, "direction"),
        ({"version": 2}, "version"),
        ({"aggregate": "pass_at_1"}, "declaration"),
        ({"deterministic": False}, "declaration"),
        ({"unit": "points"}, None),
    ],
)
def test_a_metric_is_declared_as_it_was(changes: dict[str, Any], guard: str | None) -> None:
    spec: MetricSpec = replace(BINARY, **changes)
    assert guards(rules(), rules(specs={"success": spec})) == ([guard] if guard else [])


def test_the_digest_is_of_all_that_a_loosening_says() -> None:
    one = Loosening(guard="floor", suite="s", metric="m", what="floor", before="0.8", after="0.7")
    others = [replace(one, **{name: "x"}) for name in ("guard", "suite", "metric", "what", "before", "after")]
    assert len({one.digest, *(other.digest for other in others)}) == 7


def approval(**changes: Any) -> LooseningApproval:
    one = Loosening(guard="floor", what="floor", before="0.8", after="0.7")
    fields: dict[str, Any] = {"owner": "Dana", "reason": "r", "at": AT, "expires": AT.replace(month=12)}
    return LooseningApproval(**(fields | {"loosenings": (one,)} | changes))


@pytest.mark.parametrize(
    "changes",
    [{"owner": " "}, {"reason": ""}, {"loosenings": ()}, {"expires": AT}, {"expires": AT.replace(year=2027)}],
    ids=str,
)
def test_an_approval_without_owner_reason_content_or_an_end_is_refused(changes: dict[str, Any]) -> None:
    assert approval()
    with pytest.raises(InvalidValue):
        approval(**changes)
