"""What a verdict says: its own figures, the cases, and the next step."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agenteval import stats
from pytest_agenteval.model.baseline import Bar
from pytest_agenteval.model.estimate import Estimate
from pytest_agenteval.model.score import MetricSpec
from pytest_agenteval.model.verdict import Outcome, Reason
from pytest_agenteval.pipeline.gate import judge
from pytest_agenteval.pipeline.looks import Gated, Looks, Policy
from pytest_agenteval.pipeline.words import (
    Facts,
    bar_words,
    comparison_words,
    explain,
    named,
    number,
    value_words,
)
from tests.pipeline.measures import BINARY, COST, Values, baseline, binary, doubtful, flipped, gated, measured, verdict

OLD = binary(160, 40)
APPROVE = "pytest-agenteval baseline approve s --metric success --reason '…'"
FIRST = "pytest --agent-eval --agent-eval-repeats 6 first, then "
ERRORS = MetricSpec(name="error_rate", kind="binary", better="lower")


def regraded() -> Gated:
    same = {case: "this" for case in OLD}
    return Gated(measured=measured(flipped(OLD, lost=8), answers=same), bar=Bar(), baseline=baseline(OLD, answers=same))


def looked(again: Values | None) -> Gated:
    """Thirty cases fell in the first look; the second look gave this."""
    return doubtful(flipped(OLD, lost=30), again, OLD)


def fewer(n: int) -> Values:
    return {case: OLD[case] for case in sorted(OLD)[:n]}


EVERY: dict[str, tuple[Callable[[], Gated], str, str]] = {
    "loosened": (
        lambda: replace(gated(OLD, OLD), loosened="floor 0.7 where 0.8 was approved"),
        "the settings are looser than the approved baseline: floor 0.7 where 0.8 was approved",
        f"Tighten them, or: {APPROVE}",
    ),
    "below_floor": (
        lambda: gated(None, binary(2, 40), bar=Bar(floor=0.8)),
        "0.0476 [0.0132, 0.1579] over 42 cases: proven to break floor 0.8",
        "Look at c0002, c0003, c0004, c0005, c0006, c0007, c0008, c0009 and 32 more",
    ),
    "below_floor after a fall": (
        lambda: gated(OLD, flipped(OLD, lost=2), bar=Bar(floor=0.99)),
        "0.7900 [0.7284, 0.8407] over 200 cases: proven to break floor 0.99",
        "Look at c0000, c0001, c0160, c0161, c0162, c0163, c0164, c0165 and 34 more",
    ),
    "incomparable: metric version": (
        lambda: replace(gated(OLD, OLD), measured=measured(OLD, replace(BINARY, version=2))),
        "the baseline was measured by another version of the metric; the two cannot be compared",
        f"Renew it: {APPROVE}",
    ),
    "incomparable: metric changed": (
        regraded,
        "8 of 200 cases with the very same answer were scored otherwise (c0000, c0001, c0002, c0003, c0004, c0005, "
        "c0006, c0007): the metric changed, so from 0.8000 to 0.7600, on 200 common cases -0.0400 [-0.0696, -0.0227], "
        "8 fell, 0 rose says nothing of the agent",
        f"Score both by the same version of the metric, or renew the baseline: {APPROVE}",
    ),
    "regressed": (
        lambda: gated(OLD, flipped(OLD, lost=40, won=1)),
        "from 0.8000 to 0.6050, on 200 common cases -0.1950 [-0.2461, -0.1509], 40 fell, 1 rose: a real drop "
        "(chance alone would do this with p = 9.8e-12), larger than the margin 0.02",
        "Look at c0000, c0001, c0002, c0003, c0004, c0005, c0006, c0007 and 32 more; "
        f"if the drop is accepted: {APPROVE} --accept-drop",
    ),
    "no_baseline": (
        lambda: gated(None, binary(1, 0)),
        "1.0000 [0.2065, 1.0000] over 1 case; there is no baseline to compare with",
        f"If it is good enough: {APPROVE}",
    ),
    "inconclusive: missing": (
        lambda: gated(OLD, {**OLD, **{case: [None] for case in sorted(OLD)[:20]}}),
        "20 of 200 cases were not evaluated (the first: the judge was down)",
        "Mend what the reason names, and run again",
    ),
    "inconclusive: case set changed": (
        lambda: gated(OLD, {**fewer(100), "new": [1.0]}),
        "only 100 of 200 cases of the baseline are as they were (0 edited, 100 removed); on those: "
        "from 1.0000 to 1.0000, on 100 common cases +0.0000 [-0.0263, 0.0263], 0 fell, 0 rose; "
        "1 without a reference yet",
        f"If the new cases are right: {APPROVE}",
    ),
    "inconclusive: floor": (
        lambda: gated(OLD, OLD, bar=Bar(floor=0.81)),
        "0.8000 [0.7391, 0.8495] over 200 cases: not proven to keep floor 0.81",
        "More cases or repeats would settle it",
    ),
    "inconclusive: too few": (
        lambda: gated(OLD, flipped(OLD, lost=5, won=3)),
        "from 0.8000 to 0.7900, on 200 common cases -0.0100 [-0.0375, 0.0154], 5 fell, 3 rose (one-sided p = 0.2539); "
        "a loss of the margin 0.0200 can be neither shown nor excluded",
        "About 420 more cases like these would settle it, or 4 attempts a case, or a wider margin",
    ),
    "inconclusive: too few and nothing changed": (
        lambda: gated(fewer(40), fewer(40)),
        "from 1.0000 to 1.0000, on 40 common cases +0.0000 [-0.0634, 0.0634], 0 fell, 0 rose (one-sided p = 1.0000); "
        "a loss of the margin 0.0200 can be neither shown nor excluded",
        "About 93 more cases like these would settle it, or a wider margin",
    ),
    "inconclusive: no second look": (
        lambda: looked(None),
        "from 0.8000 to 0.6500, on 200 common cases -0.1500 [-0.1962, -0.1132], 30 fell, 0 rose "
        "(chance alone would do this with p = 4.7e-10): the first look shows a drop, and the second look that must "
        "confirm it was not made",
        "Run the whole suite again",
    ),
    "inconclusive: too short a second look": (
        lambda: looked({"c0000": [1.0]}),
        "from 0.8000 to 0.6500, on 200 common cases -0.1500 [-0.1962, -0.1132], 30 fell, 0 rose "
        "(chance alone would do this with p = 4.7e-10): the first look shows a drop, and the second look gave "
        "only 1 case",
        "Mend that, and run again",
    ),
    "inconclusive: not confirmed": (
        lambda: looked(OLD),
        "from 0.8000 to 0.6500, on 200 common cases -0.1500 [-0.1962, -0.1132], 30 fell, 0 rose "
        "(chance alone would do this with p = 4.7e-10): the first look shows a drop, a second and independent one "
        "does not confirm it (from 0.8000 to 0.8000, on 200 common cases +0.0000 [-0.0133, 0.0133], 0 fell, 0 rose, "
        "chance alone would do this with p = 1); that may be chance, or a drop too small to see",
        "Nothing stops the merge. About 1,781 more cases like these would settle it, or 10 attempts a case, "
        "or a wider margin",
    ),
    "regressed, and seen again": (
        lambda: looked(flipped(OLD, lost=25, won=1)),
        "from 0.8000 to 0.6500, on 200 common cases -0.1500 [-0.1962, -0.1132], 30 fell, 0 rose: a real drop "
        "(chance alone would do this with p = 4.7e-10), larger than the margin 0.02. Seen again in a second look: "
        "from 0.8000 to 0.6800, on 200 common cases -0.1200 [-0.1642, -0.0843], 25 fell, 1 rose "
        "(chance alone would do this with p = 2.1e-07)",
        "25 cases fell in both looks: c0000, c0001, c0002, c0003, c0004, c0005, c0006, c0007 and 17 more; "
        f"if the drop is accepted: {FIRST}{APPROVE} --accept-drop",
    ),
    "inconclusive: partial": (
        lambda: replace(gated(OLD, OLD), partial=True),
        "only part of the suite ran, so nothing is judged",
        "Run the whole suite",
    ),
    "pass": (
        lambda: gated(OLD, OLD),
        "from 0.8000 to 0.8000, on 200 common cases +0.0000 [-0.0133, 0.0133], 0 fell, 0 rose; "
        "a loss of 0.02 is excluded",
        "",
    ),
    "pass under a ceiling": (
        lambda: gated(None, binary(0, 42), spec=ERRORS, bar=Bar(ceiling=0.0)),
        "0.0000 [0.0000, 0.0838] over 42 cases; ceiling 0",
        "",
    ),
}


@pytest.mark.parametrize("name", EVERY)
def test_each_verdict_says_its_figures_and_the_next_step(name: str) -> None:
    make, message, step = EVERY[name]
    found = verdict(make())
    assert name.startswith(str(found.outcome))
    assert (found.message, found.next_step) == (message, step)


def test_what_fails_most_is_named_first() -> None:
    values: Values = {"a": [1.0, 0.0], "b": [1.0, 1.0], "c": [0.0, 0.0], "d": [0.0, 1.0]}
    assert verdict(gated(None, values, bar=Bar(floor=1.0))).next_step == "Look at c, a, d"


def test_a_run_that_stopped_early_is_no_baseline_and_the_step_says_how_to_make_one() -> None:
    drop = replace(gated(OLD, flipped(OLD, lost=40)), rounds=(2, 5))
    assert verdict(drop).next_step.endswith(f"if the drop is accepted: {FIRST}{APPROVE} --accept-drop")
    assert FIRST not in verdict(replace(drop, rounds=(5, 5))).next_step


def test_every_outcome_and_every_reason_is_among_them() -> None:
    found = [verdict(make()) for make, _, _ in EVERY.values()]
    assert {one.outcome for one in found} == set(Outcome)
    assert {one.reason for one in found} == set(Reason)
    assert all(one.next_step for one in found if one.outcome is not Outcome.PASS)


@given(st.integers(0, 60), st.integers(0, 40))
def test_the_figures_in_the_message_are_those_of_the_comparison(lost: int, won: int) -> None:
    found = verdict(gated(OLD, flipped(OLD, lost=lost, won=won)))
    told = found.comparison
    assert told is not None
    assert told.delta is not None
    assert comparison_words(told) in found.message
    figures = re.search(
        r"from (\S+) to (\S+), on (\d+) common cases (\S+) \[(\S+), (\S+)\], (\d+) fell, (\d+) rose", found.message
    )
    assert figures is not None
    expected = (told.reference.value, told.current.value, told.n_pairs, told.delta, told.low, told.high)
    assert [float(figure) for figure in figures.groups()[:6]] == pytest.approx(list(expected), abs=5e-5)
    assert (int(figures[7]), int(figures[8])) == (len(told.lost), len(told.won)) == (lost, won)


def test_a_drop_among_several_comparisons_says_that_it_was_corrected() -> None:
    drop, calm = gated(OLD, flipped(OLD, lost=40)), gated(OLD, OLD)
    assert "corrected for 2 comparisons)" in judge([drop, calm], Policy())[0].message


def test_a_quantile_is_told_without_a_difference() -> None:
    spec = replace(COST, aggregate="p50")
    values: Values = {f"c{n:02}": [float(n)] for n in range(40)}
    assert verdict(gated(values, values, spec=spec)).message == "from 19.5000 to 19.5000"


def test_nothing_in_common_is_said_so() -> None:
    message = verdict(gated(OLD, binary(200, 0, start=500))).message
    assert message.endswith("on those: no case in common with the reference")


def test_a_metric_that_no_case_asks_for_says_what_to_do() -> None:
    found = verdict(gated(OLD, {}))
    assert (found.message, found.outcome) == ("no case has a value", Outcome.INCONCLUSIVE)
    assert found.next_step == "Give the cases what success needs, or take it out of the gate"


@pytest.mark.parametrize("reason", [Reason.CASE_SET, Reason.METRIC_CHANGED, Reason.TOO_FEW])
def test_a_reason_without_its_comparison_still_has_words_and_a_step(reason: Reason) -> None:
    message, step = explain(Outcome.INCONCLUSIVE, reason, Facts(looks=Looks(one=gated(None, OLD)), policy=Policy()))
    assert message.startswith("0.8000 [")
    assert step


def test_the_bounds_in_the_words_are_tangos() -> None:
    low, high = stats.tango_bounds(1, 40, 200, 0.05)
    assert f"-0.1950 [{low:.4f}, {high:.4f}]" in EVERY["regressed"][1]


def test_a_drop_without_its_comparison_names_the_command() -> None:
    _, step = explain(Outcome.REGRESSED, Reason.NONE, Facts(looks=Looks(one=gated(None, OLD)), policy=Policy()))
    assert step.endswith(f"{APPROVE} --accept-drop")


@pytest.mark.parametrize(
    ("bar", "words"),
    [
        (Bar(), "no floor"),
        (Bar(floor=0.8), "floor 0.8"),
        (Bar(ceiling=0), "ceiling 0"),
        (Bar(floor=0.5, ceiling=0.75, margin=0.1), "floor 0.5, ceiling 0.75"),
    ],
)
def test_a_bar_is_told_as_far_as_it_is_set(bar: Bar, words: str) -> None:
    assert bar_words(bar) == words


def test_a_value_has_four_decimals_and_its_absence_is_no_number() -> None:
    assert (number(1 / 3), number(None)) == ("0.3333", "–")
    assert value_words(Estimate(suite="s", metric="m", n=0, value=None)) == "no case has a value"
    assert value_words(Estimate(suite="s", metric="m", n=1, value=0.5)) == "0.5000 [–, –] over 1 case"


@given(st.lists(st.text("abc", min_size=1), max_size=20))
def test_at_most_eight_cases_are_named_and_the_others_counted(cases: list[str]) -> None:
    words = named(tuple(cases))
    assert words.startswith(", ".join(cases[:8]))
    assert words.endswith(f" and {len(cases) - 8} more") == (len(cases) > 8)
