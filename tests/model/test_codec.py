"""Every value of the model becomes JSON and comes back as it was; whatever else is refused with a reason."""

from __future__ import annotations

import math
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agenteval.errors import InvalidValue
from pytest_agenteval.model.baseline import Bar
from pytest_agenteval.model.case import Case
from pytest_agenteval.model.codec import decode, encode, format_time, near, parse_time
from pytest_agenteval.model.estimate import CaseScores, Estimate
from pytest_agenteval.model.jsonvalue import canonical, parse
from pytest_agenteval.model.run import Run
from pytest_agenteval.model.score import MetricSpec, Score
from pytest_agenteval.model.trajectory import Step, Trajectory
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.model.verdict import Verdict
from tests.model.anything import EVERY_TYPE, times, trials

KINDS = {kind.__name__: (kind, strategy) for kind, strategy in EVERY_TYPE}


@pytest.mark.parametrize("name", KINDS)
@given(data=st.data())
def test_a_value_comes_back_from_its_json_text_as_it_was(name: str, data: st.DataObject) -> None:
    kind, strategy = KINDS[name]
    value = data.draw(strategy)
    again: object = decode(kind, parse(canonical(encode(value))))
    assert again == value
    assert canonical(encode(again)) == canonical(encode(value))


@pytest.mark.parametrize("name", KINDS)
@given(data=st.data())
def test_a_key_that_no_field_has_is_refused(name: str, data: st.DataObject) -> None:
    kind, strategy = KINDS[name]
    written = encode(data.draw(strategy))
    with pytest.raises(InvalidValue, match=rf"unknown key 'zzz' in a {name}"):
        decode(kind, {**written, "zzz": 1})


@given(trials)
def test_what_has_its_default_is_not_written(trial: Trial) -> None:
    written = encode(trial)
    assert set(written) <= {field.name for field in fields(Trial)}
    assert ("retries" in written) == (trial.retries != 0)
    assert ("scores" in written) == bool(trial.scores)


def test_a_true_score_stays_a_bool_and_a_one_stays_a_number() -> None:
    for value in (True, 1.0, 0.0, False):
        again = decode(Score, parse(canonical(encode(Score(metric="m", value=value))))).value
        assert (again, type(again)) == (value, type(value))


def test_a_false_where_the_default_is_zero_is_written() -> None:
    assert encode(Case(id="a", input=False)) == {"id": "a", "input": False}
    assert encode(Step(kind="tool", input=0)) == {"kind": "tool", "input": 0}


@pytest.mark.parametrize(
    ("kind", "data", "said"),
    [
        (Step, {"kind": "tool", "nmae": "x"}, r"unknown key 'nmae' in a Step; did you mean 'name'\?"),
        (Step, {"name": "x"}, "a Step needs the key 'kind'"),
        (Step, ["tool"], r"a Step is an object, not \['tool'\]"),
        (Step, {"kind": "tol"}, "kind of a Step: one of 'message', 'model', 'tool', 'retrieval' is due, not 'tol'"),
        (Step, {"kind": "tool", "name": 3}, "name of a Step: a str is due, not 3"),
        (Step, {"kind": "tool", "tokens_in": 1.5}, "tokens_in of a Step: a int is due, not 1.5"),
        (Step, {"kind": "tool", "tokens_in": True}, "a int is due, not True"),
        (Step, {"kind": "tool", "seconds": "1"}, "seconds of a Step: a number is due, not '1'"),
        (Step, {"kind": "tool", "seconds": True}, "a number is due, not True"),
        (Step, {"kind": "tool", "seconds": math.nan}, "a finite number is due, not nan"),
        (Step, {"kind": "tool", "seconds": 10**400}, "the number is too large to hold"),
        (Bar, {"floor": math.inf}, "floor of a Bar: a finite number is due"),
        (Score, {"metric": "m", "value": math.nan}, "value of a Score: a finite number is due"),
        (Score, {"metric": "m", "value": "1"}, "a number is due, not '1'"),
        (CaseScores, {"fingerprint": "f", "values": "11"}, "values of a CaseScores: a list is due, not '11'"),
        (CaseScores, {"fingerprint": "f", "values": [1, None]}, "a number is due, not None"),
        (MetricSpec, {"name": "m", "deterministic": 1}, "a bool is due, not 1"),
        (Run, {"id": "r", "started": "yesterday"}, "'yesterday' is not an ISO 8601 time"),
        (Run, {"id": "r", "started": "2026-01-01T00:00:00"}, "has no zone; write it like"),
        (Run, {"id": "r", "started": "2026-01-01T00:00:00Z", "versions": []}, r"an object is due, not \[\]"),
        (Verdict, {"suite": "s", "metric": "m", "outcome": "won", "message": ""}, "outcome of a Verdict: one of"),
        (Trajectory, {}, "either an output or an error"),
    ],
)
def test_what_does_not_fit_a_field_is_refused_with_its_name(kind: type, data: Any, said: str) -> None:
    with pytest.raises(InvalidValue, match=said):
        decode(kind, data)


def test_the_place_goes_before_the_message() -> None:
    with pytest.raises(InvalidValue, match=r"^cases\.jsonl:3: a Step needs"):
        decode(Step, {}, where="cases.jsonl:3")


def test_a_key_deep_inside_is_named_with_the_way_to_it() -> None:
    trial = {"id": "t", "case": {"id": "a", "input": "q"}, "trajectory": {"output": "x", "steps": [{"kind": "tol"}]}}
    with pytest.raises(InvalidValue, match="trajectory of a Trial: steps of a Trajectory: kind of a Step: one of"):
        decode(Trial, trial)


@pytest.mark.parametrize("thing", [{1, 2}, object(), Trial])
def test_what_has_no_json_form_is_refused(thing: object) -> None:
    with pytest.raises(InvalidValue, match="has no JSON form; use texts, numbers"):
        encode([thing])


def test_an_enumeration_of_texts_is_written_as_its_text_and_a_key_as_a_text() -> None:
    verdict = decode(Verdict, {"suite": "s", "metric": "m", "outcome": "pass", "message": ""})
    assert encode(verdict)["outcome"] == "pass"
    assert encode({1: (1, 2)}) == {"1": [1, 2]}


@pytest.mark.parametrize("value", [None, True, 3, 0.5, "text"])
def test_what_is_json_already_stays_as_it_is(value: object) -> None:
    assert encode(value) is value


class Text(str):
    """A text of another class, as libraries return them."""

    __slots__ = ()


def test_texts_and_numbers_of_other_classes_become_plain_ones() -> None:
    written = encode({"text": Text("a"), "list": [Text("b"), Trajectory(output=Text("c"))]})
    assert written == {"text": "a", "list": ["b", {"output": "c"}]}
    assert type(written["text"]) is str


@given(times)
def test_a_time_is_the_same_instant_in_utc_after_a_round_trip(at: datetime) -> None:
    text = format_time(at)
    assert text.endswith("Z")
    assert parse_time(text) == at
    assert parse_time(text).tzinfo is UTC


@pytest.mark.parametrize("text", ["", "soon", None, "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+10:00"])
def test_what_is_no_instant_is_refused(text: object) -> None:
    with pytest.raises(InvalidValue, match="is not an ISO 8601 time"):
        parse_time(text)


def test_a_far_name_gives_no_hint() -> None:
    assert near("floor", ["ceiling"]) == ""
    assert near("flor", ["ceiling", "floor"]) == "; did you mean 'floor'?"


def test_an_estimate_written_by_an_older_hand_may_leave_out_what_has_a_default() -> None:
    data = {"suite": "s", "metric": "m", "n": 1, "value": 1}
    assert decode(Estimate, data) == Estimate(suite="s", metric="m", n=1, value=1.0)
