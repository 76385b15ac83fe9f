"""Hooks from the project's root conftest: metrics, redactors, agents, observers."""

from __future__ import annotations

import gzip

import pytest

from tests.plugin.sessions import CONFTEST, Project

HOOK = "from pytest_agenteval import hookimpl\n@hookimpl\ndef agenteval_metrics(): return []\n"


def with_hooks(project: Project, source: str) -> None:
    project.put("conftest.py", f"{CONFTEST}\nfrom pytest_agenteval import hookimpl, metric, Trajectory\n{source}")


def test_a_metric_of_the_root_conftest_goes_by_its_name(both: Project) -> None:
    with_hooks(
        both,
        """
@metric(better="higher", unit="fraction")
def polite(trial): return "please" in trial.output

@hookimpl
def agenteval_metrics(): return [polite]
""",
    )
    both.cases("x", metrics="['polite']")
    assert both.run().scores("c0")["polite"] is False


def test_a_metric_name_given_twice_is_4_and_names_both(project: Project) -> None:
    with_hooks(
        project,
        """
@metric(better="higher", unit="fraction")
def success(trial): return True

@hookimpl
def agenteval_metrics(): return [success]
""",
    )
    project.cases("x")
    session = project.run()
    assert session.code == 4
    assert "two plug-ins bring a metric 'success'" in session.text


def test_a_hook_in_a_conftest_below_the_root_is_4_and_told_where_to_go(project: Project) -> None:
    project.put("suites/refunds/conftest.py", HOOK)
    project.cases("x")
    session = project.run()
    assert session.code == 4
    assert "Move it there" in session.text


def test_a_plug_in_makes_the_agent_that_is_named(project: Project) -> None:
    with_hooks(
        project,
        """
from pytest_agenteval.agents import adapt
@hookimpl
def agenteval_agent(target, options):
    return adapt(lambda text: "made of " + target) if target.startswith("ours:") else None
""",
    )
    project.cases("x")
    session = project.run("--agent-eval-agent", "ours:7")
    assert session.trials[0]["trajectory"]["output"] == "made of ours:7"


def test_observers_see_the_trials_and_the_verdicts(project: Project) -> None:
    with_hooks(
        project,
        """
from pathlib import Path
def note(text):
    with (Path(__file__).parent / "seen.txt").open("a") as stream: stream.write(text + "\\\\n")
@hookimpl
def agenteval_trial_scored(trial): note(trial.case.id)
@hookimpl
def agenteval_run_judged(verdicts): note(",".join(sorted(one.metric for one in verdicts)))
""".replace("\\\\", "\\"),
    )
    project.gate("success = { margin = 0.1 }")
    project.cases("x", "y")
    project.run()
    assert (project.root / "seen.txt").read_text().split() == ["c0", "c1", "error_rate,success"]


@pytest.mark.parametrize("filters", [("-W", "default"), ("-W", "error")], ids=["warnings", "warnings-as-errors"])
def test_an_observer_that_raises_changes_nothing(project: Project, filters: tuple[str, str]) -> None:
    project.gate("success = { margin = 0.1 }")
    project.cases(*(f"order {n}" for n in range(60)))
    project.run()
    project.approve()
    with_hooks(
        project,
        """
@hookimpl
def agenteval_trial_scored(trial): raise ValueError("observer is broken")
@hookimpl
def agenteval_run_judged(run, verdicts): raise ValueError("observer is broken")
""",
    )
    session = project.run(*filters)
    assert session.code == session.verdict["exit_code"] == 0
    assert "observer is broken" in session.text


def test_a_redactor_applies_to_all_that_is_kept_and_shown(both: Project) -> None:
    with_hooks(
        both,
        """
@hookimpl
def agenteval_redactors(): return [lambda text: text.replace("tulip-bulb", "[gone]")]
""",
    )
    conftest = (both.root / "conftest.py").read_text()
    both.put("conftest.py", conftest.replace("boom", "tulip-bulb").replace("within", "tulip-bulb within"))
    both.gate("quotes = { floor = 0.5 }")
    both.test("""
        @metric(better="higher", unit="fraction")
        def quotes(trial): return Score(metric="quotes", value=None, reason=str(trial.output))

        @agent_cases(Case(id="a", input="tulip-bulb"), Case(id="b", input="crash tulip-bulb"), metrics=[quotes])
        def test_refund(trial):
            assert "tulip-bulb" in trial.output
    """)
    session = both.run("--agent-eval-record", "-v")
    assert "tulip-bulb" not in session.text
    files = [path for path in both.root.rglob("*") if path.is_file() and path.suffix in {".json", ".jsonl"}]
    assert any("recordings" in str(path) for path in files)
    assert [path for path in files if "tulip-bulb" in path.read_text("utf-8")] == []
    segments = list(both.root.glob("history/*/*.gz"))
    assert segments
    assert all(b"tulip-bulb" not in gzip.decompress(path.read_bytes()) for path in segments)
