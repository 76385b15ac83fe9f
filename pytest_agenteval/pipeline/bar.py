"""The bar that counts: what the settings ask, what was approved, and what holds where neither says."""

from __future__ import annotations

from dataclasses import replace

from pytest_agenteval.model.baseline import Bar, Baseline
from pytest_agenteval.model.score import MetricSpec

DEFAULT_MARGIN = 0.02
"""Share of a bounded metric's range whose loss is tolerated where nothing else is set."""

ERROR_RATE = "error_rate"
"""The one metric that gates in every suite, with a ceiling of 0 where none is set."""


def margin_of(bar: Bar, spec: MetricSpec) -> float | None:
    """The bar's margin, or the default; None where an unbounded metric has none set."""
    if bar.margin is not None or spec.range is None:
        return bar.margin
    return DEFAULT_MARGIN * (spec.range[1] - spec.range[0])


def effective_bar(wanted: Bar | None, baseline: Baseline | None, metric: str) -> tuple[Bar, str]:
    """The bar that counts, and where the settings are looser than what was approved.

    Stricter settings count at once; looser ones are told, and the approved ones go on counting.
    """
    wanted = wanted or Bar()
    if metric == ERROR_RATE and wanted.ceiling is None:
        wanted = replace(wanted, ceiling=0.0)
    if baseline is None:
        return wanted, ""
    loosened, strict, approved = [], {}, baseline.bar
    if wanted.margin is not None:  # where no margin was set, the default was approved
        approved = replace(approved, margin=margin_of(approved, baseline.spec))
    for name, stricter in (("floor", max), ("ceiling", min), ("margin", min)):
        mine, its = getattr(wanted, name), getattr(approved, name)
        if mine is not None and its is not None and stricter(mine, its) != mine:
            loosened.append(f"{name} {mine:g} where {its:g} was approved")
        known = [value for value in (mine, its) if value is not None]
        strict[name] = stricter(known) if known else None
    gone = [tag for tag in approved.slices if tag not in wanted.slices] if wanted.slices else []
    loosened += [f"slice {tag!r} no longer gates" for tag in gone]
    return Bar(**strict, slices=tuple(dict.fromkeys((*approved.slices, *wanted.slices)))), ", ".join(loosened)


def limits_of(bar: Bar) -> list[tuple[float, float]]:
    """(+1, floor) and (−1, ceiling), where set: the value times the sign must not lie under the limit's."""
    pairs = ((1.0, bar.floor), (-1.0, bar.ceiling))
    return [(sign, limit) for sign, limit in pairs if limit is not None]
