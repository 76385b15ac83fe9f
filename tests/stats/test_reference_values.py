"""Every record of reference_values.json, made with independent tools, is met or listed as later work."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from pytest_agenteval import stats

RECORDS: Final[list[dict[str, Any]]] = json.loads(
    Path(__file__).with_name("reference_values.json").read_text(encoding="utf-8")
)["records"]

LEFT_FOR_LATER: Final = frozenset(
    [
        "alpha_spending",
        "aurc",
        "bca_from_replicates",
        "betting_ci",
        "binomial_risk_pvalue",
        "bland_altman",
        "bradley_terry",
        "chi2_homogeneity",
        "cohen_kappa",
        "crc_threshold",
        "cusum_arl",
        "cusum_limit",
        "cusum_path",
        "ece_l2_debiased",
        "eprocess_mixture",
        "ewma_arl_two_sided",
        "ewma_path",
        "gwet_ac1",
        "gwet_ac1_table",
        "hajek_rate",
        "horvitz_thompson_total",
        "isotonic_fit",
        "js_distance",
        "krippendorff_alpha",
        "ks_two_sample",
        "laney_sigma_z",
        "lang_reiczigel_ci",
        "lin_ccc",
        "log_loss",
        "ltt_fixed_sequence",
        "midp_z",
        "min_cases_for_risk",
        "mmd2_unbiased",
        "murphy_decomposition",
        "normal_mixture_cs_radius",
        "platt_fit",
        "poststratified_rate",
        "ppi_mean",
        "psi",
        "psi_threshold",
        "rogan_gladen",
        "sgr_threshold",
        "shewhart_limit",
        "sprt_decision",
        "sr_detector_path",
        "stratified_rate",
        "temperature_fit",
        "wilcoxon_pratt",
    ]
)


def assert_close(got: Any, expected: Any, tolerance: float) -> None:
    """Numbers within tolerance·max(1, |expected|); strings, nulls, keys and lengths equal."""
    if isinstance(expected, dict):
        assert got.keys() == expected.keys()
        for key, value in expected.items():
            assert_close(got[key], value, tolerance)
    elif isinstance(expected, list):
        assert len(got) == len(expected)
        for left, right in zip(got, expected, strict=True):
            assert_close(left, right, tolerance)
    elif isinstance(expected, (int, float)):
        assert abs(got - expected) <= tolerance * max(1, abs(expected))
    else:
        assert got == expected


@pytest.mark.parametrize("record", [pytest.param(r, id=r["name"]) for r in RECORDS if r["function"] in stats.__all__])
def test_the_reference_value_is_met(record: dict[str, Any]) -> None:
    got = getattr(stats, record["function"])(**record["inputs"])
    assert_close(got, record["expected"], record["tolerance"])


def test_each_record_names_a_function_that_is_public_or_left_for_later() -> None:
    assert {record["function"] for record in RECORDS} - set(stats.__all__) == LEFT_FOR_LATER


def test_a_value_off_by_more_than_the_tolerance_is_noticed() -> None:
    with pytest.raises(AssertionError):
        assert_close({"lo": [1.0, None]}, {"lo": [1.0 + 1e-6, None]}, 1e-8)
