"""Numbers in, numbers out: every test and interval of the project, one module per question.

Names are loaded when first used, so that importing the room costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pytest_agenteval.stats.calibration import brier_score, ece
    from pytest_agenteval.stats.decision import (
        MIN_CASES_TO_PASS,
        GateOutcome,
        gate_family_binary,
        gate_verdict,
        gate_verdict_binary,
    )
    from pytest_agenteval.stats.exact import exact_mean, exceeds, sample_variance, stable_seed
    from pytest_agenteval.stats.interval import (
        clustered_se,
        mean_ci,
        proportion_ci,
        proportion_upper,
        wilson_effective_n,
    )
    from pytest_agenteval.stats.multiplicity import adjust_pvalues
    from pytest_agenteval.stats.paired import (
        MIN_PAIRS_FOR_T_BOUNDS,
        mcnemar,
        paired_bounds,
        paired_t_bounds,
        paired_t_pvalue,
        tango_bounds,
    )
    from pytest_agenteval.stats.power import (
        cases_needed_pass,
        mcnemar_sample_size,
        minimum_detectable_effect,
        paired_sample_size_t,
    )
    from pytest_agenteval.stats.quantiles import quantile, quantile_ci
    from pytest_agenteval.stats.repeats import pass_at_k, pass_hat_k, pass_k_suite, variance_components
    from pytest_agenteval.stats.signflip import sign_flip_pvalue
    from pytest_agenteval.stats.unpaired import unpaired_proportion_diff_ci, welch_pvalue

__all__ = [
    "MIN_CASES_TO_PASS",
    "MIN_PAIRS_FOR_T_BOUNDS",
    "GateOutcome",
    "adjust_pvalues",
    "brier_score",
    "cases_needed_pass",
    "clustered_se",
    "ece",
    "exact_mean",
    "exceeds",
    "gate_family_binary",
    "gate_verdict",
    "gate_verdict_binary",
    "mcnemar",
    "mcnemar_sample_size",
    "mean_ci",
    "minimum_detectable_effect",
    "paired_bounds",
    "paired_sample_size_t",
    "paired_t_bounds",
    "paired_t_pvalue",
    "pass_at_k",
    "pass_hat_k",
    "pass_k_suite",
    "proportion_ci",
    "proportion_upper",
    "quantile",
    "quantile_ci",
    "sample_variance",
    "sign_flip_pvalue",
    "stable_seed",
    "tango_bounds",
    "unpaired_proportion_diff_ci",
    "variance_components",
    "welch_pvalue",
    "wilson_effective_n",
]

_NAMES_BY_MODULE: Final = {
    "calibration": ("brier_score", "ece"),
    "decision": (
        "MIN_CASES_TO_PASS",
        "GateOutcome",
        "gate_family_binary",
        "gate_verdict",
        "gate_verdict_binary",
    ),
    "exact": ("exact_mean", "exceeds", "sample_variance", "stable_seed"),
    "interval": ("clustered_se", "mean_ci", "proportion_ci", "proportion_upper", "wilson_effective_n"),
    "multiplicity": ("adjust_pvalues",),
    "paired": (
        "MIN_PAIRS_FOR_T_BOUNDS",
        "mcnemar",
        "paired_bounds",
        "paired_t_bounds",
        "paired_t_pvalue",
        "tango_bounds",
    ),
    "power": (
        "cases_needed_pass",
        "mcnemar_sample_size",
        "minimum_detectable_effect",
        "paired_sample_size_t",
    ),
    "quantiles": ("quantile", "quantile_ci"),
    "repeats": ("pass_at_k", "pass_hat_k", "pass_k_suite", "variance_components"),
    "signflip": ("sign_flip_pvalue",),
    "unpaired": ("unpaired_proportion_diff_ci", "welch_pvalue"),
}
_MODULE_OF: Final = {name: module for module, names in _NAMES_BY_MODULE.items() for name in names}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - PEP 562: any of the public names
    if name not in _MODULE_OF:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value
