from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import norm

from pytest_agenteval.stats import (
    judge_information,
    judge_margin,
    lang_reiczigel_ci,
    poststratified_rate,
    ppi_mean,
    proportion_ci,
    rogan_gladen,
    stratified_rate,
)
from pytest_agenteval.stats.judges import FEW_JUDGE_LABELS, LEAST_JUDGE_INFORMATION, JudgeInformation, Rate

COUNTS = st.integers(1, 120).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
GRADES = st.integers(0, 4).map(lambda quarter: quarter / 4)
LABELLED = st.lists(st.tuples(GRADES, GRADES), min_size=1, max_size=40)
UNLABELLED = st.lists(GRADES, min_size=1, max_size=60)


def information(passes: tuple[int, int], fails: tuple[int, int], confidence: float = 0.95) -> JudgeInformation:
    return judge_information(
        true_pass_labelled=passes[1],
        judge_pass_of_those=passes[0],
        true_fail_labelled=fails[1],
        judge_fail_of_those=fails[0],
        confidence=confidence,
    )


def interval(batch: tuple[int, int], passes: tuple[int, int], fails: tuple[int, int]) -> tuple[float, float] | None:
    return lang_reiczigel_ci(
        judge_pass=batch[0],
        judged=batch[1],
        true_pass_labelled=passes[1],
        judge_pass_of_those=passes[0],
        true_fail_labelled=fails[1],
        judge_fail_of_those=fails[0],
    )


# What a judge can see


@given(COUNTS, COUNTS, st.sampled_from([0.8, 0.95]))
def test_the_information_of_a_judge_lies_in_its_interval_and_ignores_which_answer_is_called_a_pass(
    passes: tuple[int, int], fails: tuple[int, int], confidence: float
) -> None:
    got = information(passes, fails, confidence)
    assert -1.0 - 1e-9 <= got["lo"] <= got["j"] <= got["hi"] <= 1.0 + 1e-9
    assert got["j"] == pytest.approx(passes[0] / passes[1] + fails[0] / fails[1] - 1)
    assert information(fails, passes, confidence) == pytest.approx(got, abs=1e-9)


@pytest.mark.parametrize(
    ("passes", "fails", "j"), [((9, 9), (9, 9), 1.0), ((5, 10), (5, 10), 0.0), ((0, 9), (0, 9), -1.0)]
)
def test_a_perfect_judge_shows_everything_and_a_coin_nothing(
    passes: tuple[int, int], fails: tuple[int, int], j: float
) -> None:
    assert information(passes, fails)["j"] == j


def test_with_few_labels_the_margin_shrinks_by_the_lower_bound() -> None:
    few, many = information((90, 100), (16, 20)), information((900, 1000), (160, 200))
    assert few["j"] == many["j"] == pytest.approx(0.7)
    assert few["labels"] < FEW_JUDGE_LABELS <= many["labels"]
    assert judge_margin(0.02, few) == 0.02 * few["lo"]
    assert judge_margin(0.02, many) == pytest.approx(0.014)


@given(COUNTS, COUNTS)
def test_a_margin_never_grows_and_vanishes_with_the_judge(passes: tuple[int, int], fails: tuple[int, int]) -> None:
    known = information(passes, fails)
    got = judge_margin(0.02, known)
    if got is None:
        assert known["lo"] <= LEAST_JUDGE_INFORMATION
    else:
        assert 0.1 * 0.02 < got <= 0.02


# Labels of this batch


BATCH = st.tuples(st.integers(0, 200), st.integers(0, 200)).flatmap(
    lambda verdicts: st.tuples(
        st.just(verdicts),
        *(st.integers(0, n).flatmap(lambda k: st.tuples(st.integers(0, k), st.just(k))) for n in verdicts),
    )
)


def rate_of(batch: tuple[tuple[int, int], tuple[int, int], tuple[int, int]], confidence: float = 0.95) -> Rate:
    (passed, failed), of_pass, of_fail = batch
    return poststratified_rate(
        judged=passed + failed,
        judge_pass=passed,
        n_pass_labelled=of_pass[1],
        human_pass_of_pass=of_pass[0],
        n_fail_labelled=of_fail[1],
        human_pass_of_fail=of_fail[0],
        confidence=confidence,
    )


@given(BATCH, st.sampled_from([0.5, 0.95]))
def test_a_corrected_rate_lies_in_its_interval_wider_than_if_the_verdicts_shares_were_known(
    batch: tuple[tuple[int, int], tuple[int, int], tuple[int, int]], confidence: float
) -> None:
    (passed, failed), of_pass, of_fail = batch
    assume(passed + failed)
    got = rate_of(batch, confidence)
    strata = stratified_rate([(passed, of_pass[1], of_pass[0]), (failed, of_fail[1], of_fail[0])], confidence)
    assert got["rate"] == pytest.approx(strata["rate"], abs=1e-12)
    assert 0.0 <= got["lo"] <= strata["lo"] + 1e-12
    assert strata["hi"] - 1e-12 <= got["hi"] <= 1.0
    assert got["lo"] <= got["rate"] <= got["hi"]


@given(BATCH)
def test_swapping_pass_and_fail_mirrors_the_corrected_rate(
    batch: tuple[tuple[int, int], tuple[int, int], tuple[int, int]],
) -> None:
    (passed, failed), of_pass, of_fail = batch
    assume(passed + failed)
    got = rate_of(batch)
    mirrored = rate_of(((failed, passed), (of_fail[1] - of_fail[0], of_fail[1]), (of_pass[1] - of_pass[0], of_pass[1])))
    assert mirrored["rate"] == pytest.approx(1 - got["rate"], abs=1e-9)
    assert mirrored["lo"] == pytest.approx(1 - got["hi"], abs=1e-9)


def test_a_verdict_without_labels_leaves_the_rate_open_by_what_it_weighs() -> None:
    got = rate_of(((80, 20), (80, 80), (0, 0)))
    assert got["rate"] == pytest.approx(0.9)
    assert got["hi"] - got["lo"] > 0.15


@pytest.mark.parametrize(
    ("truth", "sensitivity", "specificity", "width"),
    [(0.85, 0.9, 0.8, 0.114), (0.95, 0.95, 0.6, 0.081), (0.6, 0.8, 0.8, 0.158)],
)
def test_the_corrected_rate_covers_the_truth_where_the_raw_rate_of_the_judge_does_not(
    truth: float, sensitivity: float, specificity: float, width: float
) -> None:
    chance, n, batch = np.random.Generator(np.random.PCG64(1)), 100, 1000
    held = raw = 0
    widths = []
    for _ in range(300):
        right = chance.random(batch) < truth
        passed = np.where(right, chance.random(batch) < sensitivity, chance.random(batch) >= specificity)
        shown = passed[:n]
        got = poststratified_rate(
            judged=batch,
            judge_pass=int(passed.sum()),
            n_pass_labelled=int(shown.sum()),
            human_pass_of_pass=int((right[:n] & shown).sum()),
            n_fail_labelled=int((~shown).sum()),
            human_pass_of_fail=int((right[:n] & ~shown).sum()),
        )
        low, high = proportion_ci(int(passed.sum()), batch)
        held += got["lo"] <= truth <= got["hi"]
        raw += low <= truth <= high
        widths.append(got["hi"] - got["lo"])
    assert held / 300 >= 0.93
    assert raw / 300 <= 0.35
    assert np.mean(widths) == pytest.approx(width, abs=0.003)


# Labels from elsewhere


@given(st.floats(0, 1), st.floats(0.5, 1), st.floats(0.51, 1))
def test_the_correction_undoes_what_the_judge_did(truth: float, sensitivity: float, specificity: float) -> None:
    shown = truth * sensitivity + (1 - truth) * (1 - specificity)
    got = rogan_gladen(judge_pass=round(shown * 10**9), judged=10**9, sensitivity=sensitivity, specificity=specificity)
    assert got == pytest.approx(truth, abs=1e-6)


def test_a_rate_that_no_batch_could_have_is_held_at_the_end() -> None:
    assert rogan_gladen(judge_pass=10, judged=10, sensitivity=0.8, specificity=0.9) == 1.0
    assert rogan_gladen(judge_pass=0, judged=10, sensitivity=0.8, specificity=0.9) == 0.0


@given(COUNTS, COUNTS, COUNTS)
def test_the_interval_of_the_correction_contains_it_and_is_refused_for_a_judge_who_may_be_a_coin(
    batch: tuple[int, int], passes: tuple[int, int], fails: tuple[int, int]
) -> None:
    got = interval(batch, passes, fails)
    if information(passes, fails)["lo"] <= LEAST_JUDGE_INFORMATION:
        assert got is None
        return
    assert got is not None
    rate = rogan_gladen(
        judge_pass=batch[0], judged=batch[1], sensitivity=passes[0] / passes[1], specificity=fails[0] / fails[1]
    )
    assert 0.0 <= got[0] <= rate <= got[1] <= 1.0
    mirrored = interval((batch[1] - batch[0], batch[1]), fails, passes)
    assert mirrored == pytest.approx((1 - got[1], 1 - got[0]), abs=1e-9)


def test_labels_from_elsewhere_tell_less_than_as_many_of_the_batch() -> None:
    limits = interval((790, 1000), (77, 85), (12, 15))
    same = rate_of(((790, 210), (77, 80), (8, 20)))
    assert limits is not None
    assert limits[1] - limits[0] > same["hi"] - same["lo"]


# Graded judges


@given(LABELLED, UNLABELLED, st.booleans(), st.randoms(use_true_random=False))
def test_a_prediction_powered_rate_ignores_order_and_lies_in_its_interval(
    labelled: list[tuple[float, float]], unlabelled: list[float], tuned: bool, chance: Random
) -> None:
    labels, judged = zip(*labelled, strict=True)
    got = ppi_mean(labels, judged, unlabelled, tuned=tuned)
    again, judged_again = zip(*chance.sample(labelled, len(labelled)), strict=True)
    assert ppi_mean(again, judged_again, chance.sample(unlabelled, len(unlabelled)), tuned=tuned) == got
    assert 0.0 <= got["rate"] <= 1.0
    if got["lo"] is not None and got["hi"] is not None:
        assert 0.0 <= got["lo"] <= got["rate"] <= got["hi"] <= 1.0


@given(LABELLED, UNLABELLED)
def test_a_prediction_powered_rate_is_that_of_the_published_formula(
    labelled: list[tuple[float, float]], unlabelled: list[float]
) -> None:
    (labels, judged), more = np.array(labelled).T, np.array(unlabelled)
    together = np.concatenate([judged, more])
    trust = 0.0
    if np.ptp(together) > 0:
        trust = np.cov(labels, judged, ddof=0)[0, 1] / ((1 + len(labels) / len(more)) * np.var(together, ddof=1))
    for tuned, weight in ((True, min(max(trust, 0), 1)), (False, 1)):
        rate = np.mean(weight * more) + np.mean(labels - weight * judged)
        se = math.sqrt(np.var(weight * more) / len(more) + np.var(labels - weight * judged) / len(labels))
        got = ppi_mean(labels.tolist(), judged.tolist(), more.tolist(), tuned=tuned)
        assert got["rate"] == pytest.approx(min(max(rate, 0), 1), abs=1e-9)
        if got["lo"] is not None:
            assert got["lo"] == pytest.approx(max(min(max(rate, 0), 1) - norm.isf(0.025) * se, 0), abs=1e-9)


def test_a_judge_who_contradicts_people_is_not_trusted() -> None:
    labels = [1.0, 0.0, 1.0, 0.0]
    assert ppi_mean(labels, [1 - label for label in labels], [1.0] * 9)["rate"] == 0.5


def test_one_label_or_no_spread_gives_a_rate_without_limits() -> None:
    assert ppi_mean([1.0], [0.5], [0.5, 0.75])["lo"] is None
    assert ppi_mean([1.0, 1.0], [1.0, 1.0], [1.0, 1.0]) == {"rate": 1.0, "lo": None, "hi": None}


# Refusals


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: information((3, 2), (1, 1)), r"judge_pass_of_those is 3, it must lie in \[0, 2\]"),
        (lambda: information((0, 0), (1, 1)), "true_pass_labelled is 0"),
        (lambda: judge_margin(0.0, {"j": 0.9, "lo": 0.8, "hi": 1.0, "labels": 500}), "margin is 0.0"),
        (lambda: rate_of(((2, 2), (1, 3), (0, 0))), r"n_pass_labelled is 3, it must lie in \[0, 2\]"),
        (lambda: rate_of(((0, 0), (0, 0), (0, 0))), "judged is 0"),
        (lambda: rogan_gladen(judge_pass=5, judged=10, sensitivity=0.5, specificity=0.5), "those of a coin"),
        (lambda: rogan_gladen(judge_pass=5, judged=10, sensitivity=1.5, specificity=0.5), "outside"),
        (lambda: ppi_mean([1.0], [1.0, 0.0], [1.0]), "zip"),
        (lambda: ppi_mean([1.0], [1.0], []), "judge_unlabelled has 0 values"),
        (lambda: ppi_mean([5.0], [1.0], [1.0]), "rescale it by the metric's range"),
    ],
)
def test_labels_that_are_none_are_refused_by_name(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
