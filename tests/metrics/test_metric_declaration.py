from __future__ import annotations

from typing import Any

import pytest

from pytest_agenteval.errors import MetricError
from pytest_agenteval.metrics import FunctionMetric, metric
from pytest_agenteval.model.trial import Trial
from tests.metrics.trials import trial


def test_a_bare_decorator_makes_a_bounded_metric_of_which_higher_is_better() -> None:
    @metric
    def polite(trial: Trial) -> bool:
        """Whether it says please."""
        return "please" in str(trial.output)

    spec = polite.spec
    assert (spec.name, spec.better, spec.kind, spec.range, spec.aggregate) == (
        "polite",
        "higher",
        "bounded",
        (0.0, 1.0),
        "mean",
    )


def test_a_metric_keeps_the_name_and_the_docstring_of_its_function() -> None:
    def rude(trial: Trial) -> bool:
        """Whether it is rude."""
        return False

    made: Any = metric(rude)
    assert (made.__name__, made.__doc__) == ("rude", "Whether it is rude.")


def test_a_metric_is_called_like_its_function() -> None:
    @metric
    def said(trial: Trial) -> bool:
        return trial.output == "done"

    assert said(trial("done")) is True


def test_a_metric_without_a_range_is_unbounded() -> None:
    assert metric(range=None, name="length")(lambda trial: 3).spec.kind == "unbounded"


def test_a_metric_cannot_be_changed() -> None:
    made: Any = metric(name="constant")(lambda trial: 1)
    with pytest.raises(AttributeError):
        made.spec = None


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ({"needs": {"expects.calls"}}, "write expect.KEY"),
        ({"name": "Not A Name"}, "small letters"),
        ({"aggregate": "median"}, "pNN"),
        ({"kind": "binary", "range": None}, "range"),
        ({"better": "more"}, "'higher' or 'lower'"),
    ],
)
def test_a_declaration_that_makes_no_sense_is_refused(declared: dict[str, Any], said: str) -> None:
    with pytest.raises(MetricError, match=said):
        metric(**({"name": "sound"} | declared))(lambda trial: 1)


def test_an_async_metric_is_refused() -> None:
    async def later(trial: Trial) -> float:
        return 1.0

    declare: Any = metric
    with pytest.raises(MetricError, match="async"):
        declare(later)


def test_equal_declarations_of_one_function_are_equal() -> None:
    def one(trial: Trial) -> float:
        return 1.0

    assert metric(one) == metric(one)
    assert isinstance(metric(one), FunctionMetric)
