"""A failed assert, an agent that errs and a provider that is down are three things, and none is silent."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest

from tests.plugin.sessions import PYPROJECT, Project

FAST = PYPROJECT + "retries = 0\nagent_timeout = 0.2\n"


def agent(source: str) -> str:
    """A conftest with the body of an agent."""
    lines = "\n".join(f"    {line}" for line in source.splitlines())
    return (
        "import asyncio, os, sys, time, pytest\nfrom pytest_agenteval import *\n"
        f"def shop(text):\n{lines}\n@pytest.fixture(scope='session')\ndef agent():\n    return shop\n"
    )


def test_a_failing_test_still_leaves_its_trial_and_scores(both: Project) -> None:
    both.cases("hello", body="assert not trial.output")
    session = both.run()
    assert 1 in session.causes
    assert session.scores("c0")["success"] is True


def test_a_low_score_turns_no_test_red(project: Project) -> None:
    project.cases("wrong")
    session = project.run()
    assert 1 not in session.causes
    assert session.scores("c0")["success"] is False


def test_steps_that_were_not_reported_fail_the_test_that_asks_for_them(project: Project) -> None:
    project.cases("hello", body="assert not trial.called('delete_customer')")
    session = project.run()
    assert 1 in session.causes
    assert "reported no steps" in session.text


def test_an_agent_error_is_shown_as_its_own_kind_with_the_reason(both: Project) -> None:
    both.cases("crash", body="assert 0, 'the body ran'")
    session = both.run("-v")
    assert "AGENT ERROR" in session.text
    assert "1 agent error" in session.text
    assert "agent error on refunds/c0: ValueError: boom" in session.text
    assert "the body ran" not in session.text


def test_an_agent_error_has_the_worst_value_and_breaks_the_ceiling_of_the_error_rate(project: Project) -> None:
    project.cases("crash", *(f"order {n}" for n in range(20)))
    session = project.run()
    assert (session.scores("c0")["success"], session.scores("c0")["error_rate"]) == (False, True)
    assert session.verdicts["refunds/error_rate"] == "below_floor"
    assert session.code == 10


def test_an_agent_error_is_skipped_in_junit_with_its_reason(both: Project) -> None:
    both.cases("crash", "hello")
    both.run("--junitxml=junit.xml")
    cases = {case.get("name"): case for case in ET.parse(both.root / "junit.xml").iter("testcase")}
    skipped = cases["test_refund[c0]"].find("skipped")
    assert skipped is not None
    assert skipped.get("message") == "agent error: ValueError: boom"
    assert cases["test_refund[c1]"].find("skipped") is None


def test_what_failed_last_is_run_again_also_where_the_agent_erred(both: Project) -> None:
    both.cases("crash", "hello", "down", "wrong")
    both.put("pyproject.toml", FAST)
    both.run()
    session = both.run("--lf")
    assert sorted(one["case"]["id"] for one in session.trials) == ["c0", "c2"]


def test_an_infrastructure_error_is_never_a_score(both: Project) -> None:
    both.put("pyproject.toml", FAST)
    both.cases("down", "hello")
    session = both.run("-v")
    assert "INFRASTRUCTURE ERROR" in session.text
    assert "infrastructure error on refunds/c0: ConnectionError: no route" in session.text
    assert session.scores("c0")["success"] is None
    assert session.scores("c0")["error_rate"] is None
    assert session.estimate("success")["n"] == 1


def test_few_infrastructure_errors_leave_a_verdict_and_many_do_not(project: Project) -> None:
    project.put("pyproject.toml", FAST + "[tool.pytest-agenteval.suites.refunds.gate]\nsuccess = { margin = 0.06 }\n")
    good = [f"order {n}" for n in range(60)]
    project.cases(*good)
    project.run(workers=0)
    project.approve()
    project.cases("down", *good[1:])
    assert project.run().verdicts["refunds/success"] == "pass"
    project.cases("down", "down", "down", "down", *good[4:])
    session = project.run()
    assert (session.code, session.verdicts["refunds/success"]) == (11, "inconclusive:missing")


@pytest.mark.parametrize(
    ("text", "metrics", "workers"),
    [
        *((text, metrics, 0) for text in ("crash", "down", "wrong") for metrics in (["success"], [])),
        *((text, ["success"], 2) for text in ("crash", "wrong")),
    ],
)
def test_a_case_that_must_pass_fails_on_any_error_and_on_no_success(
    project: Project, text: str, metrics: list[str], workers: int
) -> None:
    project.put("pyproject.toml", FAST)
    project.test(f"""
        @agent_cases(Case(id="a", input={text!r}, expect={{"contains": ["30 days"]}}, tags=["must_pass"]),
                     metrics={metrics})
        def test_refund(trial): pass
    """)
    session = project.run(workers=workers)
    assert 1 in session.causes
    assert "tagged must_pass" in session.text
    assert len(session.trials) == 1


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("return None", "answered nothing"),
        ("return '  '", "answered nothing"),
        ("return 7", "not an int"),
        ("return {'at': object()}", "has no JSON form"),
        ("time.sleep(1)\nreturn 'late'", "no answer within 0.2 s"),
        ("return asyncio.sleep(1, 'late')", "no answer within 0.2 s"),
        ("sys.exit(0)", "SystemExit"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("pytest.exit('all is well', returncode=0)", "all is well"),
        ("pytest.skip('not today')", "not today"),
        ("async def leave(): sys.exit(0)\nreturn leave()", "SystemExit"),
        ("async def leave(): raise KeyboardInterrupt\nreturn leave()", "KeyboardInterrupt"),
    ],
    ids=[
        "none", "blank", "number", "no-json", "too-late", "async-too-late", "exit", "interrupt", "pytest-exit",
        "pytest-skip", "async-exit", "async-interrupt",
    ],
)  # fmt: skip
def test_misbehaviour_is_the_agents_error_and_the_next_case_runs(project: Project, source: str, says: str) -> None:
    project.put("pyproject.toml", FAST)
    project.put("conftest.py", agent(f"if text != 'bad':\n    return 'fine'\n{source}"))
    project.cases("bad", "good")
    session = project.run()
    faults = {one["case"]["id"]: one["trajectory"].get("error") for one in session.trials}
    assert faults["c1"] is None
    assert faults["c0"]["kind"] == "agent"
    assert says in json.dumps(faults["c0"])
    assert session.code == 10


@pytest.mark.parametrize(
    "source",
    [
        "os.environ.clear()\nreturn 'x'",
        "os.chdir('/')\nreturn 'x'",
        "sys.stdout.close()\nreturn 'x'",
        "time.time = time.monotonic = lambda: 0.0\nreturn 'x'",
        "sys.modules.pop('json', None)\nreturn 'x'",
    ],
    ids=["environment", "folder", "stdout", "clock", "modules"],
)
def test_mischief_in_the_process_does_not_end_the_session_green(project: Project, source: str) -> None:
    project.put("conftest.py", agent(source))
    project.cases("a", "b")
    session = project.run_apart("-s")
    assert session.code in {1, 10}
    assert session.verdict["exit_code"] != 0


def test_an_agent_that_kills_its_worker_leaves_a_red_exit(both: Project) -> None:
    both.put("conftest.py", agent("if text == 'bad':\n    os.kill(os.getpid(), 9)\nreturn 'within 30 days'"))
    both.gate("success = { margin = 0.5 }")
    both.cases("bad", *(f"order {n}" for n in range(5)))
    session = both.run_apart()
    assert session.code not in {0, 5}
    if both.workers:
        assert 1 in session.causes
        assert session.verdict["partial"] == ["refunds"]


def test_what_an_agent_that_failed_had_printed_is_shown_unless_nothing_is_to_be(both: Project) -> None:
    both.agent("""
        import pytest

        def loud(text):
            print(f"just before {text}")
            if "crash" in text:
                raise ValueError("boom")
            return "within 30 days"

        @pytest.fixture(scope="session")
        def agent(): return loud
    """)
    both.cases("fine", "crash")
    shown = both.run().text.partition("printed by agents that failed")[2].partition("agent evaluation")[0]
    assert "test_refund[c1]" in shown
    assert "│ just before crash\n" in shown
    assert "just before fine" not in shown
    assert "just before crash" not in both.run("--show-capture=no").text
