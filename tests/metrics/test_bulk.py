"""What a metric says of recorded outputs in bulk is what it says of the trial of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agenteval.errors import InfrastructureError, InvalidValue, MetricError, NotRecorded
from pytest_agenteval.metrics import built_in_metrics, exact, metric, score_trial
from pytest_agenteval.metrics.bulk import NOTHING, Bulk, Scores
from pytest_agenteval.metrics.declare import FunctionMetric
from pytest_agenteval.model.score import Score
from tests.metrics.trials import trial

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
PLAIN = (
    st.none() | st.booleans() | NUMBERS | st.text(max_size=8) | st.sampled_from(["4", "the 4", '{"a": 1}', "[1", " "])
)
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner), max_leaves=4
)


def scored(rows: Sequence[Mapping[str, Any]], judge: Any, **fields: str) -> Scores:
    bulk = Bulk([judge], {name.replace("_", "."): key for name, key in fields.items()})
    bulk.take(range(1, len(rows) + 1), rows, {})
    return bulk.result().scores[judge.spec.name]


def one_by_one(output: Any, expect: Mapping[str, Any], judge: Any) -> Score:
    blank = output is None or (isinstance(output, str) and not output.strip())
    return score_trial(judge, trial(None, expect=expect, error=NOTHING) if blank else trial(output, expect=expect))


@metric(range=(1, 5), needs={"expect.stars", "output"})
def stars(output: Any, expected: Any) -> Any:
    """Whatever a user may return or raise; True is no value of this range, or is one by chance."""
    told: dict[str, Any] = {"none": None, "nan": float("nan"), "true": True, "false": False, "text": "four"}
    if output == "down":
        message = "the judge is down"
        raise InfrastructureError(message)
    if output == "unrecorded":
        raise NotRecorded
    if output == "exhausted":
        return next(iter(()))
    return told.get(output, expected)


QUICK = [
    *(found for found in built_in_metrics() if isinstance(found, FunctionMetric) and found.told),
    stars,
]


@pytest.mark.parametrize("judge", [one for one in QUICK if one.spec.name != "regex"], ids=lambda one: one.spec.name)
@given(pairs=st.lists(st.tuples(VALUES, VALUES), max_size=5))
def test_in_bulk_each_metric_says_what_it_says_one_by_one(judge: FunctionMetric, pairs: list[tuple[Any, Any]]) -> None:
    key = judge.told[-1].partition(".")[2] or "unasked"
    rows = [{"id": f"row {place}", "output": output, "due": due} for place, (output, due) in enumerate(pairs)]
    bulk = scored(rows, judge, **{f"expect_{key}": "due"})
    singly = [one_by_one(output, {key: due}, judge) for output, due in pairs]
    assert [(one.value, one.reason) for one in bulk.values()] == [(one.value, one.reason) for one in singly]


def test_most_metrics_of_text_and_structure_have_the_quick_form() -> None:
    quick = {one.spec.name for one in QUICK}
    assert {"exact", "contains", "excludes", "json_valid", "json_schema", "fields_equal", "regex"} <= quick


@pytest.mark.parametrize("output", ["none", "nan", "true", "false", "text", "down", "unrecorded", "exhausted", "else"])
def test_what_a_metric_may_not_say_is_told_as_one_by_one(output: str) -> None:
    rows = [{"output": "else", "due": 3}, {"output": output, "due": 3}, {"output": "else", "due": 4}]
    found = scored(rows, stars, expect_stars="due")
    due = one_by_one(output, {"stars": 3}, stars)
    assert [found[row].value for row in found] == [3, due.value, 4]
    assert found["2"].reason == due.reason


def test_absence_is_no_number() -> None:
    found = scored([{"id": "a", "output": "4"}], exact)
    assert (found.n, found.mean, list(found.numbers), found["a"].value) == (0, None, [], None)
    assert found.not_evaluated == {"a": "needs expect.output, which the case does not have"}


def test_a_metric_of_trials_sees_the_trial_that_the_row_makes() -> None:
    @metric(range=None, needs={"seconds", "recorded.verdict"})
    def told(trial: Any) -> Score:
        seen = trial.case.input, trial.case.expect["tone"], trial.trajectory.recorded["verdict"], trial.output
        return Score(metric="told", value=trial.trajectory.seconds, reason=str(seen))

    row: dict[str, Any] = {
        "id": "a",
        "output": "hi",
        "q": "Help!",
        "expect": {"tone": "polite"},
        "seconds": 2.5,
        "verdict": 1,
    }
    bulk = Bulk([told], {"input": "q", "recorded.verdict": "verdict"})
    bulk.take([1, 2], [row, row | {"id": "b", "seconds": -1}], {})
    found = bulk.result().scores["told"]
    assert found["a"].value == 2.5
    assert "seconds of a trajectory must be" in found["b"].reason


def test_a_row_without_output_or_with_an_id_that_was_there_is_refused_and_named() -> None:
    rows: list[dict[str, Any]] = [
        {"id": "a", "output": 1},
        {"id": "a", "output": 2},
        {"id": "c"},
        {"id": "d-r2", "output": 1},
        {"output": 3},
    ]
    bulk = Bulk([exact], {})
    bulk.take(range(1, 6), rows, {9: "not JSON"})
    bulk.take([11], [{"id": "a", "output": 1}], {})
    scores, refused = bulk.result()
    assert list(scores["exact"]) == ["a", "5"]
    assert list(refused) == [2, 3, 4, 9, 11]
    assert "its id 'a' is that of an earlier row" in refused[2]
    assert "it has no 'output'" in refused[3]


@pytest.mark.parametrize("name", ["outptu", "expect", "expect.", "steps.x"])
def test_a_field_that_no_row_can_tell_is_refused(name: str) -> None:
    with pytest.raises(InvalidValue, match=r"fields= has '.*', which is none of id, input, output"):
        Bulk([], {name: "x"})


def test_a_function_of_output_and_expectation_judges_a_trial_too() -> None:
    @metric(needs={"expect.limit"})
    def short(output: Any, expected: Any) -> bool:
        return bool(len(output) <= expected)

    assert short(trial("four", expect={"limit": 4})) is True
    assert score_trial(short, trial("fifth", expect={"limit": 4})).value is False


@pytest.mark.parametrize("needs", [{"output"}, {"expect.a", "expect.b"}])
def test_an_expectation_that_needs_does_not_name_is_refused(needs: set[str]) -> None:
    with pytest.raises(MetricError, match=r"write \(trial\), \(output\), or \(output, expected\)"):

        @metric(needs=needs)
        def short(output: Any, expected: Any) -> bool:
            return bool(output == expected)
