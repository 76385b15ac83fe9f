"""In what ways the cases of the head ask less than those of the base."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_agenteval.model.case import MUST_PASS
from pytest_agenteval.model.loosening import WHOLE_SUITE
from pytest_agenteval.pipeline.baseline_guards import values_of
from pytest_agenteval.pipeline.rules import NOTHING, CaseRule, Finding, Rules, gating_in_base, plain


def removed(base: Rules, head: Rules) -> Iterator[Finding]:
    """A case is not asked, in a suite that ran."""
    partial = {plain(suite) for suite in head.partial}
    for suite, case, before, now in _cases(base, head):
        if now is None and plain(suite) not in partial:
            yield (suite, WHOLE_SUITE), f"case {case!r}", before.fingerprint, "not asked"


def edited(base: Rules, head: Rules) -> Iterator[Finding]:
    """A case asks something else."""
    for suite, case, before, now in _cases(base, head):
        if now is not None and now.fingerprint != before.fingerprint:
            what = f"input or expectation of case {case!r}"
            yield (suite, WHOLE_SUITE), what, before.fingerprint, now.fingerprint


def not_scored(base: Rules, head: Rules) -> Iterator[Finding]:
    """A case ran, and no test asked it for a metric that gates on it by a baseline.

    A value that is missing was asked for; a metric that no case was asked for cannot be judged at all.
    """
    for (suite, metric), baseline in base.baselines.items():
        ran, asked = head.cases.get(suite, {}), head.asked.get((suite, metric), frozenset())
        for case in sorted(values_of(baseline)) if asked and suite not in head.partial else ():
            if case in ran and case not in asked:
                yield (suite, metric), f"case {case!r}", "has the metric", "is not asked for it"


def must_pass(base: Rules, head: Rules) -> Iterator[Finding]:
    """A case need not pass any more."""
    for suite, case, before, now in _cases(base, head):
        if now is not None and MUST_PASS in before.tags and MUST_PASS not in now.tags:
            yield (suite, WHOLE_SUITE), f"tag of case {case!r}", MUST_PASS, NOTHING


def slice_tag(base: Rules, head: Rules) -> Iterator[Finding]:
    """A case leaves a slice that gates for itself; or one that was there already joins it, and dilutes it."""
    gating: dict[str, set[str]] = {}
    for suite, metric in gating_in_base(base, head):
        gating.setdefault(plain(suite), set()).update(base.bar(suite, metric, None).slices)
    for suite, case, before, now in _cases(base, head):
        written = case in base.cases.get(plain(suite), {})  # of others the tags are not known
        if now is None:
            continue
        for tag in sorted(gating.get(plain(suite), set())):
            was, here = tag in before.tags, tag in now.tags
            if was is not here and (was or written):
                words = (tag, NOTHING) if was else (NOTHING, tag)
                yield (suite, WHOLE_SUITE), f"tag of case {case!r}, whose slice gates", *words


def quarantined(base: Rules, head: Rules) -> Iterator[Finding]:
    """A case is taken out of the gate on a day on which it would have counted."""
    for suite, cases in head.quarantined.items():
        before = base.quarantined.get(suite, {})
        for case, (since, until) in cases.items():
            was = before.get(case)
            if plain(suite) in base.known and (was is None or since < was[0] or until > was[1]):
                told = "gates" if was is None else f"quarantined from {was[0]} until {was[1]}"
                yield (suite, WHOLE_SUITE), f"case {case!r}", told, f"quarantined from {since} until {until}"


def _cases(base: Rules, head: Rules) -> Iterator[tuple[str, str, CaseRule, CaseRule | None]]:
    """Suite, id, and the rule before and now, of each case of the base whose suite ran."""
    ran: dict[str, dict[str, CaseRule]] = {}
    for suite in sorted(head.suites):
        ran.setdefault(plain(suite), {}).update(head.cases.get(suite, {}))
    for suite in sorted(base.cases.keys() & ran.keys()):
        for case, rule in base.cases[suite].items():
            yield suite, case, rule, ran[suite].get(case)
    told: set[tuple[str, str]] = set()
    for (suite, _), baseline in base.baselines.items():
        written = base.cases.get(plain(suite), {})
        for case in values_of(baseline) if suite in head.suites else ():
            now = head.cases.get(suite, {}).get(case)
            # Of a case that is written out the file tells what it asked; that it was asked here, the baseline.
            stale = case not in written and plain(suite) in base.complete
            if (suite, case) not in told and not stale and (case not in written or (now is None and "[" in suite)):
                told.add((suite, case))
                scores = baseline.screen.get(case) or baseline.held_back[case]
                yield suite, case, CaseRule(fingerprint=scores.fingerprint), now
