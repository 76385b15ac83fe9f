"""The exception tree says which exit code a mistake has, and the module's picture of it is true."""

from __future__ import annotations

import inspect

import pytest

from pytest_agenteval import errors
from pytest_agenteval.contracts import Agent, Call, Metric
from pytest_agenteval.model.case import Case

CLASSES = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: str(kind.__name__))
def test_every_error_stands_in_the_picture_of_the_tree_and_is_one_of_ours(kind: type[Exception]) -> None:
    assert issubclass(kind, errors.AgentEvalError)
    assert kind.__name__ in (errors.__doc__ or "")


def test_what_a_user_can_mend_is_a_usage_error_and_what_failed_to_be_kept_is_not() -> None:
    mended = {kind for kind in CLASSES if issubclass(kind, errors.UsageError)}
    assert {errors.SettingsError, errors.CaseError, errors.BaselineError, errors.MetricError} < mended
    assert not issubclass(errors.IntegrityError, errors.UsageError)
    assert issubclass(errors.InvalidValue, ValueError)


def test_a_call_is_the_first_attempt_unless_told_otherwise() -> None:
    call = Call(case=Case(id="a", input="q"))
    assert (call.attempt, call.seed) == (1, 0)


def test_the_contracts_are_met_by_what_comes_with_the_project() -> None:
    from pytest_agenteval.agents import adapt
    from pytest_agenteval.metrics import built_in_metrics

    assert isinstance(adapt(str.upper), Agent)
    assert not isinstance(str.upper, Agent)
    for metric in built_in_metrics():
        checked: Metric = metric
        assert checked.spec.name
