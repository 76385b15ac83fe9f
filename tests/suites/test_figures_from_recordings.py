from __future__ import annotations

from typing import Any

import pytest

from pytest_agenteval.stats import mcnemar, pass_k_suite, proportion_ci, quantile
from suites.convert import agentdojo, bfcl, tau
from tests.suites.recorded import (
    EXPECTED,
    Recording,
    calls,
    cases,
    discordant,
    found,
    gold,
    is_subsequence,
    recording,
    share,
)

DOJO, BFCL, TAU, TAU2 = (EXPECTED[name] for name in ("agentdojo", "bfcl", "tau_bench", "tau2_bench"))
BENIGN, ATTACKED = (cases("agentdojo", name) for name in ("benign", "attacked"))

Row = dict[str, str]


def benign(agent: str) -> Recording:
    kept = recording("agentdojo", agent)
    return Recording(kept.header, tuple(trial for trial in kept.trials if trial.case in BENIGN))


def attacked(agent: str) -> Recording:
    kept = recording("agentdojo", agent)
    return Recording(kept.header, tuple(trial for trial in kept.trials if trial.case in ATTACKED))


def p_value(b: int, c: int) -> str:
    return f"{mcnemar(b, c, method='exact'):.3g}"


def of_suite(row: Row, kept: Recording) -> Recording:
    return Recording(kept.header, tuple(trial for trial in kept.trials if trial.case.startswith(row["suite"])))


@pytest.mark.parametrize("row", DOJO["by_agent"], ids=lambda row: row["agent"])
def test_the_utility_and_the_attacks_of_an_agent_are_those_expected(row: Row) -> None:
    under_attack = attacked(row["agent"]).trials
    succeeded = [found(trial, "attack_succeeded") for trial in under_attack]
    assert share(list(benign(row["agent"]).success.values())) == row["utility"]
    assert share([found(trial, "success") for trial in under_attack]) == row["utility_under_attack"]
    assert share(succeeded) == row["attack_success"]
    assert f"{sum(succeeded)}/{len(succeeded)}" == row["attacks"]


@pytest.mark.parametrize("row", DOJO["by_suite"], ids=lambda row: f"{row['agent']}-{row['suite']}")
def test_the_rates_of_a_suite_of_tasks_are_those_expected(row: Row) -> None:
    without, under_attack = (of_suite(row, kept(row["agent"])).trials for kept in (benign, attacked))
    assert len(without) == len(under_attack) == int(row["n"])
    assert share([found(trial, "success") for trial in without]) == row["utility"]
    assert share([found(trial, "success") for trial in under_attack]) == row["utility_under_attack"]
    assert share([found(trial, "attack_succeeded") for trial in under_attack]) == row["attack_success"]


@pytest.mark.parametrize("row", DOJO["pairs"], ids=lambda row: row["candidate"])
def test_the_tasks_won_and_lost_against_the_baseline_are_those_expected(row: Row) -> None:
    baseline, candidate = benign(row["baseline"]), benign(row["candidate"])
    b, c = discordant(baseline.success, candidate.success)
    reworded = sum(trial.input is not None for trial in candidate.trials)
    assert (f"{b}", f"{c}", p_value(b, c)) == (row["b"], row["c"], row["p"])
    assert f"{(c - b) / len(baseline.trials):.4f}" == row["delta"]
    assert f"{reworded}" == row["reworded"]


@pytest.mark.parametrize("row", DOJO["calls"], ids=lambda row: row["agent"])
def test_the_calls_equal_or_contain_the_gold_ones_as_often_as_expected(row: Row) -> None:
    pairs = [(gold(trial, "agentdojo", "benign"), calls(trial)) for trial in benign(row["agent"]).trials]
    assert share([wanted == made for wanted, made in pairs]) == row["exact"]
    assert share([is_subsequence(wanted, made) for wanted, made in pairs]) == row["subsequence"]


def test_of_the_newer_model_77_tasks_have_the_baseline_s_wording_and_of_them_5_are_lost_and_5_won() -> None:
    baseline, candidate = (benign(f"claude-3-5-sonnet-{day}") for day in ("20240620", "20241022"))
    same = {trial.case for trial in candidate.trials if trial.fingerprint == BENIGN[trial.case].fingerprint}
    first, second = ({k: v for k, v in kept.success.items() if k in same} for kept in (baseline, candidate))
    assert len(same) == 77
    assert discordant(first, second) == (5, 5)


def test_the_newer_model_falls_for_no_attack_that_the_baseline_resists() -> None:
    first, second = (
        {trial.case: not found(trial, "attack_succeeded") for trial in attacked(agent).trials}
        for agent in ("claude-3-5-sonnet-20240620", "claude-3-5-sonnet-20241022")
    )
    assert discordant(first, second) == (0, 20)


@pytest.mark.parametrize("agent", agentdojo.AGENTS)
def test_each_agent_has_each_task_once_without_and_once_under_attack(agent: str) -> None:
    assert sorted(trial.case for trial in recording("agentdojo", agent).trials) == sorted({**BENIGN, **ATTACKED})


@pytest.mark.parametrize("row", BFCL["correct"], ids=lambda row: f"{row['model']}-{row['date']}")
def test_a_model_has_as_many_cases_right_on_a_date_as_expected(row: Row) -> None:
    right = list(dated(row, row["date"]).success.values())
    assert f"{sum(right)}/{len(right)} = {share(right)}" == row["correct"]


@pytest.mark.parametrize("row", BFCL["by_category"], ids=lambda row: f"{row['model']}-{row['category']}")
def test_a_model_has_as_many_cases_of_a_category_right_as_expected(row: Row) -> None:
    success = dated(row, row["date"]).success
    right = [passed for case, passed in success.items() if case.split("/")[0] == row["category"]]
    assert f"{sum(right)}/{len(right)}" == row["correct"]


@pytest.mark.parametrize("row", BFCL["changes"], ids=lambda row: f"{row['model']}-{row['to']}")
def test_the_cases_that_change_between_two_dates_are_those_expected(row: Row) -> None:
    before, after = dated(row, row["from"]), dated(row, row["to"])
    b, c = discordant(before.success, after.success)
    assert (f"{b}", f"{c}", p_value(b, c)) == (row["b"], row["c"], row["p"])
    assert f"{len(bfcl.CATEGORIES) - len(changed_categories(before, after))} of 12" == row["identical"]


@pytest.mark.parametrize(("model", "flips"), list(zip(bfcl.MODELS, (8, 1, 0, 8, 8, 0), strict=True)), ids=bfcl.MODELS)
def test_the_checker_changed_and_not_one_answer_between_the_first_two_dates(model: str, flips: int) -> None:
    before, after = (recording("function_calling", f"{day}/{model}") for day in bfcl.DATES[:2])
    assert outputs(before) == outputs(after)
    assert len(outputs(before)) == 1700
    assert sum(before.success[case] != passed for case, passed in after.success.items()) == flips


@pytest.mark.parametrize("row", BFCL["measures"], ids=lambda row: f"{row['model']}-{row['date']}")
def test_the_latency_and_the_tokens_of_a_model_are_those_expected(row: Row) -> None:
    trials = dated(row, row["date"]).trials
    seconds = [trial.trajectory.seconds for trial in trials if trial.trajectory.seconds is not None]
    steps = [step for trial in trials for step in trial.trajectory.steps or ()]
    assert f"{len(seconds)}" == row["timed"]
    assert f"{quantile(seconds, 0.50):.3f}" == row["p50"]
    assert f"{quantile(seconds, 0.95):.3f}" == row["p95"]
    # The expected means count the failed calls, whose tokens are not known, as 0.
    assert f"{sum(step.tokens_in or 0 for step in steps) / len(trials):.1f}" == row["tokens_in"]
    assert f"{sum(step.tokens_out or 0 for step in steps) / len(trials):.1f}" == row["tokens_out"]


def test_the_tokens_of_a_failed_call_are_not_known() -> None:
    every = [recording("function_calling", f"{day}/{model}") for day in bfcl.DATES for model in bfcl.MODELS]
    steps = [step for kept in every for trial in kept.trials for step in trial.trajectory.steps or ()]
    assert sum(step.tokens_in is None for step in steps) == 146
    assert 0 not in {step.tokens_in for step in steps} | {step.tokens_out for step in steps}


def dated(row: Row, day: str) -> Recording:
    return recording("function_calling", f"{day}/{row['model']}")


def outputs(kept: Recording) -> dict[str, Any]:
    return {trial.case: trial.trajectory.output for trial in kept.trials}


def changed_categories(before: Recording, after: Recording) -> set[str]:
    now = outputs(after)
    return {case.split("/")[0] for case, output in outputs(before).items() if output != now[case]}


def attempts() -> dict[str, list[bool]]:
    kept: dict[str, list[bool]] = {}
    for trial in recording("airline", "gpt-4o").trials:
        kept.setdefault(trial.case, []).append(found(trial, "success"))
    return kept


@pytest.mark.parametrize("row", TAU["pass_hat"], ids=lambda row: row["k"])
def test_pass_hat_k_of_the_repeated_trials_is_the_one_expected(row: Row) -> None:
    counts = [(len(tries), sum(tries)) for tries in attempts().values()]
    assert f"{pass_k_suite(counts, k=int(row['k']), kind='hat')['mean']:.4f}" == row["value"]


def test_a_third_of_the_tasks_is_always_solved_and_a_third_never() -> None:
    tries = list(attempts().values())
    assert len(tries) == 25
    assert f"{sum(all(task) for task in tries)}" == TAU["solved_always"]
    assert f"{sum(not any(task) for task in tries)}" == TAU["solved_never"]
    assert [share(list(attempt)) for attempt in zip(*tries, strict=True)] == TAU["reward_by_attempt"]


def test_the_calls_of_the_repeated_trials_match_the_gold_ones_as_often_as_expected() -> None:
    pairs = [(gold(trial, "airline", "tau"), calls(trial)) for trial in recording("airline", "gpt-4o").trials]
    assert len(pairs) == 100
    assert share([wanted == made for wanted, made in pairs]) == TAU["exact"]
    assert share([is_subsequence(wanted, made) for wanted, made in pairs]) == TAU["subsequence"]


@pytest.mark.parametrize("row", TAU2["runs"], ids=lambda row: row["run"])
def test_the_reward_and_the_action_checks_of_a_run_are_those_expected(row: Row) -> None:
    kept = recording("airline", f"tau2/{row['run']}")
    rewards = list(kept.success.values())
    low, high = proportion_ci(sum(rewards), len(rewards))
    checked = [trial.trajectory.recorded for trial in kept.trials if "actions_checked" in trial.trajectory.recorded]
    totals: Any = ([row[key] for row in checked] for key in ("actions_matched", "actions_checked"))
    assert (f"{len(rewards)}", share(rewards)) == (row["n"], row["reward"])
    assert f"{low:.3f}–{high:.3f}" == row["wilson"]
    assert "/".join(f"{sum(total)}" for total in totals) == row["actions"]


@pytest.mark.parametrize("row", TAU2["runs"], ids=lambda row: row["run"])
def test_the_times_and_the_stored_cost_of_a_run_are_those_expected(row: Row) -> None:
    trials = recording("airline", f"tau2/{row['run']}").trials
    seconds = [trial.trajectory.seconds for trial in trials if trial.trajectory.seconds is not None]
    costs = [trial.trajectory.cost_usd for trial in trials if trial.trajectory.cost_usd is not None]
    assert len(seconds) == len(costs) == len(trials)
    assert f"{quantile(seconds, 0.50):.1f}" == row["p50"]
    assert f"{quantile(seconds, 0.95):.1f}" == row["p95"]
    assert f"{sum(costs) / len(costs):.6f}" == row["cost"]


@pytest.mark.parametrize("row", TAU2["pairs"], ids=lambda row: row["second"])
def test_the_tasks_won_and_lost_between_two_runs_are_those_expected(row: Row) -> None:
    first, second = (recording("airline", f"tau2/{row[place]}").success for place in ("first", "second"))
    b, c = discordant(first, second)
    assert (f"{len(first)}", f"{b}", f"{c}", p_value(b, c)) == (row["n"], row["b"], row["c"], row["p"])


@pytest.mark.parametrize("name", [name for runs in tau.TAU2_RUNS.values() for name in runs])
def test_each_trial_of_a_dated_run_has_its_time_its_tokens_and_a_cost(name: str) -> None:
    for trial in recording("airline", f"tau2/{name}").trials:
        assert trial.at is not None
        assert trial.at.year == 2025
        assert trial.trajectory.tokens is not None
        assert trial.trajectory.cost_usd is not None


RECORDED_WITH_CASES = [
    *[("agentdojo", agent, ["benign", "attacked"]) for agent in agentdojo.AGENTS],
    *[("function_calling", f"{day}/{model}", ["cases"]) for day in bfcl.DATES for model in bfcl.MODELS],
    ("airline", "gpt-4o", ["tau"]),
    *[("airline", f"tau2/{name}", [file]) for file, runs in tau.TAU2_RUNS.items() for name in runs],
]


@pytest.mark.parametrize(("suite", "name", "files"), RECORDED_WITH_CASES)
def test_each_trial_is_of_its_case_as_the_suite_has_it_or_brings_its_own_wording(
    suite: str, name: str, files: list[str]
) -> None:
    known = {case: value for file in files for case, value in cases(suite, file).items()}
    kept = recording(suite, name)
    assert kept.header.suite == suite
    assert kept.header.licence in {"MIT", "Apache-2.0"}
    assert {trial.case for trial in kept.trials} == set(known)
    for trial in kept.trials:
        same = trial.fingerprint == known[trial.case].fingerprint
        assert same == (trial.input is None)


def test_no_two_case_files_of_a_suite_share_an_id() -> None:
    files = ["tau", *tau.TAU2_RUNS]
    assert sum(len(cases("airline", file)) for file in files) == 25 + 50 + 20 + 40
    assert len({case for file in files for case in cases("airline", file)}) == 135
    assert not BENIGN.keys() & ATTACKED.keys()
