"""Numbers in, numbers out: every test and interval of the project, one module per question.

Names are loaded when first used, so that importing the room costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pytest_agenteval.stats.agreement import (
        bland_altman,
        cohen_kappa,
        gwet_ac1,
        gwet_ac1_table,
        krippendorff_alpha,
        lin_ccc,
        positive_negative_agreement,
    )
    from pytest_agenteval.stats.bootstrap import bca_from_replicates, bca_interval, paired_bootstrap
    from pytest_agenteval.stats.calibration import (
        aurc,
        brier_score,
        ece,
        ece_if_calibrated,
        ece_l2_debiased,
        log_loss,
        murphy_decomposition,
        reliability_table,
    )
    from pytest_agenteval.stats.charts import (
        cusum_arl,
        cusum_limit,
        cusum_path,
        ewma_arl_two_sided,
        ewma_limit,
        ewma_path,
        laney_sigma_z,
        shewhart_limit,
    )
    from pytest_agenteval.stats.decision import (
        MIN_CASES_TO_PASS,
        GateOutcome,
        gate_family_binary,
        gate_verdict,
        gate_verdict_binary,
    )
    from pytest_agenteval.stats.drift import (
        chi2_homogeneity,
        decile_counts,
        drifted,
        js_distance,
        ks_two_sample,
        psi,
        psi_threshold,
    )
    from pytest_agenteval.stats.exact import exact_mean, exceeds, sample_variance, stable_seed
    from pytest_agenteval.stats.interval import (
        clustered_se,
        mean_ci,
        proportion_ci,
        proportion_upper,
        wilson_effective_n,
    )
    from pytest_agenteval.stats.judges import (
        judge_information,
        judge_margin,
        lang_reiczigel_ci,
        poststratified_rate,
        ppi_mean,
        rogan_gladen,
    )
    from pytest_agenteval.stats.monitor import midp_z, sr_detector_path, weekly_alarms, weekly_alarms_of_means
    from pytest_agenteval.stats.multiplicity import adjust_pvalues, gatekeep
    from pytest_agenteval.stats.paired import (
        MIN_PAIRS_FOR_T_BOUNDS,
        equivalent,
        mcnemar,
        paired_bounds,
        paired_t_bounds,
        paired_t_pvalue,
        tango_bounds,
        tost_pvalue,
        wilcoxon_pratt,
    )
    from pytest_agenteval.stats.pairwise import both_orders, bradley_terry, needs_half_wins, position_bias
    from pytest_agenteval.stats.power import (
        cases_needed_pass,
        mcnemar_sample_size,
        minimum_detectable_effect,
        paired_sample_size_t,
        policy_detectable_effect,
    )
    from pytest_agenteval.stats.quantiles import quantile, quantile_ci
    from pytest_agenteval.stats.recalibration import (
        isotonic_fit,
        platt_fit,
        recalibrated,
        recalibration_losses,
        temperature_fit,
    )
    from pytest_agenteval.stats.repeats import (
        case_regression_pvalue,
        flake_rate,
        pass_at_k,
        pass_hat_k,
        pass_k_suite,
        this_suite_se,
        variance_components,
    )
    from pytest_agenteval.stats.review import (
        Reviewable,
        ReviewSample,
        corrected_error_rate,
        hajek_rate,
        horvitz_thompson_total,
        review_sample,
        stratified_rate,
    )
    from pytest_agenteval.stats.routing import (
        average_promise,
        binomial_risk_pvalue,
        crc_threshold,
        ltt_fixed_sequence,
        min_cases_for_risk,
        more_labels_needed,
        routing_promise,
        routing_thresholds,
    )
    from pytest_agenteval.stats.sequential import alpha_spending, eprocess_mixture, spending_increments, sprt_decision
    from pytest_agenteval.stats.signflip import sign_flip_pvalue
    from pytest_agenteval.stats.unpaired import unpaired_proportion_diff_ci, welch_pvalue

# fmt: off
__all__ = [
    "MIN_CASES_TO_PASS", "MIN_PAIRS_FOR_T_BOUNDS", "GateOutcome", "ReviewSample", "Reviewable", "adjust_pvalues",
    "alpha_spending", "aurc", "average_promise", "bca_from_replicates", "bca_interval", "binomial_risk_pvalue",
    "bland_altman", "both_orders", "bradley_terry", "brier_score", "case_regression_pvalue", "cases_needed_pass",
    "chi2_homogeneity", "clustered_se", "cohen_kappa", "corrected_error_rate", "crc_threshold", "cusum_arl",
    "cusum_limit", "cusum_path", "decile_counts", "drifted", "ece", "ece_if_calibrated", "ece_l2_debiased",
    "eprocess_mixture", "equivalent", "ewma_arl_two_sided", "ewma_limit", "ewma_path", "exact_mean", "exceeds",
    "flake_rate", "gate_family_binary", "gate_verdict", "gate_verdict_binary", "gatekeep", "gwet_ac1", "gwet_ac1_table",
    "hajek_rate", "horvitz_thompson_total", "isotonic_fit", "js_distance", "judge_information", "judge_margin",
    "krippendorff_alpha", "ks_two_sample", "laney_sigma_z", "lang_reiczigel_ci", "lin_ccc", "log_loss",
    "ltt_fixed_sequence", "mcnemar", "mcnemar_sample_size", "mean_ci", "midp_z", "min_cases_for_risk",
    "minimum_detectable_effect", "more_labels_needed", "murphy_decomposition", "needs_half_wins", "paired_bootstrap",
    "paired_bounds", "paired_sample_size_t", "paired_t_bounds", "paired_t_pvalue", "pass_at_k", "pass_hat_k",
    "pass_k_suite", "platt_fit", "policy_detectable_effect", "position_bias", "positive_negative_agreement",
    "poststratified_rate", "ppi_mean", "proportion_ci", "proportion_upper", "psi", "psi_threshold", "quantile",
    "quantile_ci", "recalibrated", "recalibration_losses", "reliability_table", "review_sample", "rogan_gladen",
    "routing_promise", "routing_thresholds", "sample_variance", "shewhart_limit", "sign_flip_pvalue",
    "spending_increments", "sprt_decision", "sr_detector_path", "stable_seed", "stratified_rate", "tango_bounds",
    "temperature_fit", "this_suite_se", "tost_pvalue", "unpaired_proportion_diff_ci", "variance_components",
    "weekly_alarms", "weekly_alarms_of_means", "welch_pvalue", "wilcoxon_pratt", "wilson_effective_n",
]
# fmt: on

_NAMES_BY_MODULE: Final = {
    "agreement": (
        "bland_altman",
        "cohen_kappa",
        "gwet_ac1",
        "gwet_ac1_table",
        "krippendorff_alpha",
        "lin_ccc",
        "positive_negative_agreement",
    ),
    "bootstrap": (
        "bca_from_replicates",
        "bca_interval",
        "paired_bootstrap",
    ),
    "calibration": (
        "aurc",
        "brier_score",
        "ece",
        "ece_if_calibrated",
        "ece_l2_debiased",
        "log_loss",
        "murphy_decomposition",
        "reliability_table",
    ),
    "charts": (
        "cusum_arl",
        "cusum_limit",
        "cusum_path",
        "ewma_arl_two_sided",
        "ewma_limit",
        "ewma_path",
        "laney_sigma_z",
        "shewhart_limit",
    ),
    "decision": (
        "MIN_CASES_TO_PASS",
        "GateOutcome",
        "gate_family_binary",
        "gate_verdict",
        "gate_verdict_binary",
    ),
    "drift": (
        "chi2_homogeneity",
        "decile_counts",
        "drifted",
        "js_distance",
        "ks_two_sample",
        "psi",
        "psi_threshold",
    ),
    "exact": (
        "exact_mean",
        "exceeds",
        "sample_variance",
        "stable_seed",
    ),
    "interval": (
        "clustered_se",
        "mean_ci",
        "proportion_ci",
        "proportion_upper",
        "wilson_effective_n",
    ),
    "judges": (
        "judge_information",
        "judge_margin",
        "lang_reiczigel_ci",
        "poststratified_rate",
        "ppi_mean",
        "rogan_gladen",
    ),
    "monitor": (
        "midp_z",
        "sr_detector_path",
        "weekly_alarms",
        "weekly_alarms_of_means",
    ),
    "multiplicity": (
        "adjust_pvalues",
        "gatekeep",
    ),
    "paired": (
        "MIN_PAIRS_FOR_T_BOUNDS",
        "equivalent",
        "mcnemar",
        "paired_bounds",
        "paired_t_bounds",
        "paired_t_pvalue",
        "tango_bounds",
        "tost_pvalue",
        "wilcoxon_pratt",
    ),
    "pairwise": (
        "both_orders",
        "bradley_terry",
        "needs_half_wins",
        "position_bias",
    ),
    "power": (
        "cases_needed_pass",
        "mcnemar_sample_size",
        "minimum_detectable_effect",
        "paired_sample_size_t",
        "policy_detectable_effect",
    ),
    "quantiles": (
        "quantile",
        "quantile_ci",
    ),
    "recalibration": (
        "isotonic_fit",
        "platt_fit",
        "recalibrated",
        "recalibration_losses",
        "temperature_fit",
    ),
    "repeats": (
        "case_regression_pvalue",
        "flake_rate",
        "pass_at_k",
        "pass_hat_k",
        "pass_k_suite",
        "this_suite_se",
        "variance_components",
    ),
    "review": (
        "ReviewSample",
        "Reviewable",
        "corrected_error_rate",
        "hajek_rate",
        "horvitz_thompson_total",
        "review_sample",
        "stratified_rate",
    ),
    "routing": (
        "average_promise",
        "binomial_risk_pvalue",
        "crc_threshold",
        "ltt_fixed_sequence",
        "min_cases_for_risk",
        "more_labels_needed",
        "routing_promise",
        "routing_thresholds",
    ),
    "sequential": (
        "alpha_spending",
        "eprocess_mixture",
        "spending_increments",
        "sprt_decision",
    ),
    "signflip": ("sign_flip_pvalue",),
    "unpaired": (
        "unpaired_proportion_diff_ci",
        "welch_pvalue",
    ),
}
_MODULE_OF: Final = {name: module for module, names in _NAMES_BY_MODULE.items() for name in names}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - PEP 562: any of the public names
    if name not in _MODULE_OF:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value
