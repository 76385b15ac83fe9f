"""Each pair of recorded runs: the published counts, what the gate pairs, what it says, and the page of it all."""

from __future__ import annotations

from functools import cache
from itertools import combinations

import pytest
from scipy.stats import binom, binomtest

from benchmarks.recorded import CORPORA, PAGE, Pair, compared, page, pairs_of
from pytest_agenteval.stats import proportion_ci
from suites.convert import agentdojo, bfcl, llmdrift, tau
from tests.suites.recorded import EXPECTED, Recording, discordant, found, recording, share

Key = tuple[str, str, str]
"""Group (or metric, where a group has two), first run, second run."""

TASKS, ATTACKS = (
    [(metric, *two) for two in combinations(agentdojo.AGENTS, 2)] for metric in ("success", "attack_resisted")
)
BFCL = [(model, *two) for model in bfcl.MODELS for two in combinations(bfcl.DATES, 2)]
TAU2 = [(file, *two) for file, runs in tau.TAU2_RUNS.items() for two in combinations(runs, 2)]
DRIFT = [(name, *two) for name in llmdrift.SETS for two in llmdrift.SNAPSHOTS.values()]
ALL = [*TASKS, *ATTACKS, *BFCL, *TAU2, *DRIFT]

PUBLISHED: list[tuple[Key, dict[str, str]]] = [
    *((("success", row["baseline"], row["candidate"]), row) for row in EXPECTED["agentdojo"]["pairs"]),
    *(((row["model"], row["from"], row["to"]), row) for row in EXPECTED["bfcl"]["changes"]),
    *((next(key for key in TAU2 if row["first"] in key), row) for row in EXPECTED["tau2_bench"]["pairs"]),
    *(((row["set"], row["first"], row["second"]), row) for row in EXPECTED["llmdrift"]["pairs"]),
]

SAID = {
    "p": "pass",
    "r": "regressed",
    "f": "inconclusive: too few",
    "c": "inconclusive: case set changed",
    "m": "incomparable: metric changed",
}
# A letter a pair; of AgentDojo a word for each agent that stands first, of the function calls one for each model.
OUTCOMES = dict(
    zip(
        ALL,
        "".join(
            [
                *("crccrf", "rpfrc", "cccp", "rrc", "rc", "c"),
                *("ppfppf", "frffr", "rfpr", "ppf", "pf", "r"),
                *("mprprr", "mrrrrr", "ppmpmm", "mpmpmm", "mpmpmm", "pprprr"),
                *("ppp", "rrrp"),
            ]
        ),
        strict=True,
    )
)


def name_of(value: object) -> str | None:
    return "-".join(value) if isinstance(value, tuple) else None


@cache
def judged() -> dict[Key, Pair]:
    pairs = [pair for corpus in CORPORA for pair in pairs_of(corpus)]
    assert len(pairs) == 21 * 2 + 6 * 6 + 3 + 4
    return {(pair.of, pair.first, pair.second): pair for pair in pairs}


def test_the_pairs_are_all_of_agents_dates_runs_and_months() -> None:
    assert list(judged()) == ALL


@pytest.mark.parametrize(("key", "row"), PUBLISHED, ids=name_of)
def test_paired_by_case_id_the_counts_and_the_p_value_are_those_expected(key: Key, row: dict[str, str]) -> None:
    pair = judged()[key]
    assert (f"{pair.lost}", f"{pair.won}", f"{pair.p_exact:.3g}") == (row["b"], row["c"], row["p"])
    assert f"{pair.delta:.4f}" == row.get("delta", f"{(int(row['c']) - int(row['b'])) / pair.n:.4f}")
    assert f"{pair.n}" == row.get("n", "97" if key in TASKS else "1700")


@pytest.mark.parametrize("key", ALL, ids=name_of)
def test_the_exact_p_value_is_that_of_the_binomial_test(key: Key) -> None:
    pair = judged()[key]
    changed = pair.lost + pair.won
    assert pair.p_exact == pytest.approx(binomtest(pair.won, changed).pvalue if changed else 1.0, rel=1e-9)


@pytest.mark.parametrize(("key", "row"), [each for each in PUBLISHED if each[0] in TASKS], ids=name_of)
def test_the_gate_leaves_out_the_tasks_that_were_asked_in_other_words(key: Key, row: dict[str, str]) -> None:
    pair = judged()[key]
    assert pair.n - pair.paired[0] == int(row["reworded"]) == len(compared(pair.verdict).edited)


@pytest.mark.parametrize("key", TASKS, ids=name_of)
def test_the_gate_counts_what_was_lost_and_won_among_the_tasks_asked_alike(key: Key) -> None:
    first, second = (benign(agent) for agent in key[1:])
    alike = {trial.case: trial.fingerprint for trial in first.trials}.items() & {
        (trial.case, trial.fingerprint) for trial in second.trials
    }
    cases = {case for case, _ in alike}
    before, now = ({case: passed for case, passed in run.success.items() if case in cases} for run in (first, second))
    assert judged()[key].paired == (len(cases), *discordant(before, now))


def benign(agent: str) -> Recording:
    kept = recording("agentdojo", agent)
    return Recording(kept.header, tuple(trial for trial in kept.trials if "+" not in trial.case))


@pytest.mark.parametrize("key", [key for key in ALL if key not in TASKS], ids=name_of)
def test_where_no_prompt_differs_the_gate_pairs_all_cases(key: Key) -> None:
    pair = judged()[key]
    assert pair.paired == (pair.n, pair.lost, pair.won)


@pytest.mark.parametrize("key", ALL, ids=name_of)
def test_the_gate_decides_by_the_mid_p_value_of_a_drop_corrected_over_the_metrics_of_the_suite(key: Key) -> None:
    raw = mid_p(judged()[key])
    if key in BFCL + TAU2 + DRIFT:
        assert judged()[key].p_gate == pytest.approx(raw, rel=1e-9)
        return
    other = mid_p(judged()["attack_resisted" if key in TASKS else "success", key[1], key[2]])
    holm = min(1.0, 2 * raw) if raw <= other else max(raw, min(1.0, 2 * other))
    assert judged()[key].p_gate == pytest.approx(holm, rel=1e-9)


def mid_p(pair: Pair) -> float:
    _, lost, won = pair.paired
    return float(binom.cdf(won - 1, lost + won, 0.5) + binom.pmf(won, lost + won, 0.5) / 2) if lost + won else 1.0


@pytest.mark.parametrize("key", ALL, ids=name_of)
def test_each_pair_has_the_verdict_that_stands_here(key: Key) -> None:
    verdict = judged()[key].verdict
    assert ": ".join(filter(None, (verdict.outcome, verdict.reason))) == SAID[OUTCOMES[key]]


@pytest.mark.parametrize("key", ALL, ids=name_of)
def test_a_drop_stops_the_merge_only_where_it_is_proven_and_larger_than_the_margin(key: Key) -> None:
    pair = judged()[key]
    cases, lost, won = pair.paired
    proven = pair.p_gate <= 0.01 and (lost - won) / cases > pair.margin
    assert (pair.verdict.outcome == "regressed") <= proven
    assert proven <= (pair.verdict.outcome in {"regressed", "incomparable"})


@pytest.mark.parametrize("row", EXPECTED["llmdrift"]["rates"], ids=lambda row: f"{row['set']}-{row['model']}")
def test_a_snapshot_has_as_many_questions_right_as_expected(row: dict[str, str]) -> None:
    right = [found(trial, "success") for trial in recording("llmdrift", f"{row['set']}/{row['model']}").trials]
    low, high = proportion_ci(sum(right), len(right))
    assert (f"{len(right)}", share(right), f"{low:.3f}–{high:.3f}") == (row["n"], row["rate"], row["wilson"])


def test_the_page_of_the_docs_is_the_one_that_the_command_makes() -> None:
    assert page().encode() == PAGE.read_bytes()
