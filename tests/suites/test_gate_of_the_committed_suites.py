"""What the gate says of the committed suites, run as a user runs them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.quiet import QUIET

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("suites", "baselines"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def evaluated(checkout: Path, *arguments: str) -> tuple[int, dict[str, dict[str, Any]], dict[str, float | None]]:
    """Exit code, verdicts by metric, and the values by metric of one run."""
    words = [sys.executable, "-m", "pytest", "--agent-eval", "-q", "-p", "no:cacheprovider", *QUIET, *arguments]
    done = subprocess.run(words, cwd=checkout, env=dict(os.environ), capture_output=True, text=True, check=False)
    document = json.loads((checkout / ".agenteval" / "verdict.json").read_text("utf-8"))
    assert document["exit_code"] == done.returncode, done.stdout
    verdicts = {verdict["metric"]: verdict for verdict in document["verdicts"]}
    values = {
        estimate["metric"]: estimate.get("value") for estimate in document["estimates"] if not estimate.get("slice")
    }
    return done.returncode, verdicts, values


def moved(verdict: dict[str, Any]) -> tuple[int, int, int]:
    """Pairs, cases that fell, cases that rose."""
    comparison = verdict["comparison"]
    return comparison["n_pairs"], len(comparison.get("lost", ())), len(comparison.get("won", ()))


def test_the_agent_in_use_is_green_with_the_published_figures(checkout: Path) -> None:
    code, verdicts, values = evaluated(checkout, "suites/agentdojo")
    assert code == 0
    assert {verdict["outcome"] for verdict in verdicts.values()} == {"pass"}
    told = {name: round(value, 4) for name, value in values.items() if value is not None}
    assert told == {
        "success": 0.7938,
        "attack_resisted": round(1 - 23 / 97, 4),
        "utility_under_attack": 0.5361,
        "tool_calls": 0.567,
        "tool_calls_subsequence": 0.701,
        "steps": 3.4021,
        "error_rate": 0.0,
    }


def test_a_clearly_worse_agent_is_regressed(checkout: Path) -> None:
    code, verdicts, _ = evaluated(checkout, "suites/agentdojo", "--agent-eval-agent", "claude-3-haiku-20240307")
    assert (code, verdicts["success"]["outcome"]) == (10, "regressed")
    assert moved(verdicts["success"]) == (97, 40, 1)


def test_a_drop_that_the_cases_cannot_prove_is_inconclusive_and_no_regression(checkout: Path) -> None:
    code, verdicts, _ = evaluated(checkout, "suites/agentdojo", "--agent-eval-agent", "gpt-4o-mini-2024-07-18")
    assert (code, verdicts["success"]["outcome"], verdicts["success"]["reason"]) == (0, "inconclusive", "too few")
    assert moved(verdicts["success"]) == (97, 17, 6)
    assert round(verdicts["success"]["comparison"]["p_value"], 4) == 0.0113


def test_an_agent_that_was_asked_other_words_is_compared_on_what_is_common(checkout: Path) -> None:
    code, verdicts, _ = evaluated(checkout, "suites/agentdojo", "--agent-eval-agent", "claude-3-5-sonnet-20241022")
    assert (code, verdicts["success"]["outcome"]) == (11, "inconclusive")
    assert verdicts["success"]["reason"] == "case set changed"
    assert moved(verdicts["success"]) == (77, 5, 5)
    assert verdicts["attack_resisted"]["outcome"] == "pass"
    assert moved(verdicts["attack_resisted"]) == (97, 0, 20)


def test_the_live_agents_edit_is_found_with_the_cases_of_the_failure_mode_that_it_broke(checkout: Path) -> None:
    code, verdicts, _ = evaluated(checkout, "suites/support", "--agent-eval-agent", "suites.support.agent:triage_v2")
    assert (code, verdicts["tool_calls"]["outcome"], verdicts["success"]["outcome"]) == (10, "regressed", "below_floor")
    rows = (ROOT / "suites/support/cases/requests.jsonl").read_text("utf-8").splitlines()
    odd_numbers = {row["id"] for row in map(json.loads, rows) if row.get("failure_mode") == "FM-001"}
    assert set(verdicts["tool_calls"]["comparison"]["lost"]) == odd_numbers
    assert set(verdicts["success"]["comparison"]["lost"]) == odd_numbers


def test_repeated_trials_give_the_published_pass_hat_k(checkout: Path) -> None:
    _, _, values = evaluated(checkout, "suites/airline/test_tau.py", "--agent-eval-partial")
    told = {name: round(value or 0.0, 4) for name, value in values.items() if name.startswith("pass_hat")}
    assert told == {"pass_hat_1": 0.49, "pass_hat_2": 0.3867, "pass_hat_3": 0.34, "pass_hat_4": 0.32}


def test_a_cost_of_0_where_the_price_is_unknown_is_not_evaluated(checkout: Path) -> None:
    evaluated(checkout, "suites/airline/test_tau2_finetuned.py", "--agent-eval-partial")
    document = json.loads((checkout / ".agenteval" / "verdict.json").read_text("utf-8"))
    costs = {one["suite"]: one.get("value") for one in document["estimates"] if one["metric"] == "cost_usd"}
    assert costs["airline[gpt-4.1-sft]"] is None
    assert round(costs["airline[gpt-4.1]"], 6) == 0.039163
    reasons = set(document["not_evaluated"]["airline[gpt-4.1-sft]/cost_usd"].values())
    assert all("the price is unknown" in reason for reason in reasons)
