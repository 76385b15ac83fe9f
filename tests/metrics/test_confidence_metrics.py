from __future__ import annotations

import csv
from statistics import fmean
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agenteval import stats
from pytest_agenteval.metrics import brier, ece, metric, score_trial
from pytest_agenteval.model.score import Score
from pytest_agenteval.model.trial import Trial
from tests.metrics.trials import DATA, faulty, trial

UNIT = st.floats(0, 1)


@pytest.fixture(scope="module")
def trials() -> list[Trial]:
    """206 SAT questions answered by gpt-4o, with the confidence it stated."""
    with (DATA / "confidence_gpt-4o_sat.csv").open(newline="") as file:
        return [
            trial(confidence=float(row["stated_confidence"]), recorded={"success": row["correct"] == "TRUE"})
            for row in csv.DictReader(file)
        ]


def values(scores: list[Score]) -> list[float]:
    return [score.value for score in scores if score.value is not None]


def test_brier_of_a_real_model_is_the_published_figure(trials: list[Trial]) -> None:
    scored = values([score_trial(brier, one) for one in trials])
    assert len(scored) == 206
    assert round(fmean(scored), 4) == 0.0914


def test_ece_of_a_real_model_is_the_published_figure(trials: list[Trial]) -> None:
    evidence: list[Any] = [score_trial(ece, one).evidence for one in trials]
    stated, correct = [one["confidence"] for one in evidence], [one["correct"] for one in evidence]
    assert round(stats.ece(stated, correct, closed="right"), 4) == 0.1604


@given(confidence=UNIT, succeeded=st.booleans())
def test_brier_is_the_square_of_the_gap(confidence: float, succeeded: bool) -> None:
    one = trial(confidence=confidence, recorded={"success": succeeded})
    [gap], [square] = values([score_trial(ece, one)]), values([score_trial(brier, one)])
    assert gap == abs(confidence - succeeded)
    assert square == pytest.approx(gap**2)


def test_calibration_needs_a_confidence_and_a_known_outcome() -> None:
    assert score_trial(brier, trial(recorded={"success": True})).reason.startswith("needs confidence")
    assert score_trial(ece, trial(confidence=0.9)).reason.startswith("success is not evaluated: ")


def test_an_agent_that_erred_stated_no_confidence() -> None:
    assert score_trial(brier, faulty()).value is None
    assert score_trial(ece, faulty()).value is None


@pytest.mark.parametrize(
    "judged",
    [0.5, Score(metric="mine", value=0.5), Score(metric="mine", value=0.5, evidence={"confidence": 2, "correct": 1})],
    ids=["a number", "no evidence", "no confidence"],
)
def test_a_calibration_of_ones_own_without_its_pair_is_not_evaluated(judged: float | Score) -> None:
    mine = metric(name="mine", better="lower", aggregate="ece")(lambda _trial: judged)
    assert "whose evidence holds 'confidence'" in score_trial(mine, trial()).reason
    assert score_trial(mine, faulty()).value is None
