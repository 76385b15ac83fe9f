"""Which agent makes which trial: sharing, parameters, scopes, stand-ins, recordings, and trials handed over."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.plugin.sessions import Project, Session

COUNTING = """
import os, pytest
from pathlib import Path

calls = Path(__file__).parent / "calls.txt"

def shop(text):
    with calls.open("a") as stream:
        stream.write(text + "\\n")
    return "within 30 days"

@pytest.fixture(scope="session")
def agent():
    return shop
"""


def calls(project: Project) -> list[str]:
    return sorted((project.root / "calls.txt").read_text().split())


def test_tests_that_share_a_case_share_its_one_trial(both: Project) -> None:
    both.agent(COUNTING)
    both.test("""
        CASES = [Case(id=name, input=name) for name in ("a", "b", "c", "d")]

        @agent_cases(CASES, metrics=["steps"])
        def test_one(trial): pass

        @agent_cases(CASES, metrics=["contains"])
        def test_two(trial): pass
    """)
    session = both.run()
    assert calls(both) == ["a", "b", "c", "d"]
    assert len(session.trials) == 4
    assert {"steps", "contains", "error_rate"} <= session.scores("a").keys()


def test_each_attempt_is_a_call_of_its_own(project: Project) -> None:
    project.agent(COUNTING)
    project.cases("a", "b", repeats=3)
    assert len(project.run().trials) == 6
    assert calls(project) == ["a"] * 3 + ["b"] * 3


@pytest.mark.parametrize(
    "fixtures",
    [
        """
        @pytest.fixture(scope="session", params=["gpt", "claude"])
        def agent(request):
            return lambda text: request.param
        """,
        """
        @pytest.fixture(scope="session", params=["gpt", "claude"])
        def model(request):
            return request.param

        @pytest.fixture(scope="session")
        def client(model):
            return model

        @pytest.fixture
        def agent(client):
            return lambda text: client
        """,
        """
        @pytest.fixture(params=[pytest.param(["gpt"], id="gpt"), pytest.param(["claude"], id="claude")])
        def agent(request):
            return lambda text: request.param[0]
        """,
        """
        @pytest.fixture(params=[["gpt"], ["claude"]], ids=lambda value: value[0])
        def agent(request):
            return lambda text: request.param[0]
        """,
    ],
    ids=["itself", "through-fixtures-below", "ids-of-params", "ids-of-the-fixture"],
)
def test_a_parametrised_agent_makes_a_suite_of_each_parameter(project: Project, fixtures: str) -> None:
    project.put("conftest.py", "import pytest\n" + "\n".join(line[8:] for line in fixtures.splitlines()))
    project.gate("success = { margin = 0.1 }")
    project.cases("a", "b", "c")
    session = project.run()
    answers = {(one["case"]["suite"], one["trajectory"]["output"]) for one in session.trials}
    assert answers == {("refunds[gpt]", "gpt"), ("refunds[claude]", "claude")}
    assert len(session.trials) == 6


def test_each_parameter_of_an_agent_has_baselines_of_its_own(both: Project) -> None:
    both.agent("""
        import pytest
        @pytest.fixture(params=["gpt", "claude"])
        def agent(request):
            return lambda text: "30 days" if request.param == "gpt" else "never"
    """)
    both.gate("success = { margin = 0.1 }")
    both.cases("a", "b", "c")
    both.run(workers=0)
    assert both.approve("refunds[gpt]") == 0
    verdicts = both.run().verdicts
    assert verdicts["refunds[gpt]/success"] != "no_baseline"
    assert verdicts["refunds[claude]/success"] == "no_baseline"


@pytest.mark.parametrize(("scope", "made"), [("session", 1), ("module", 2), ("class", 4), ("function", 5)])
def test_an_agent_of_any_scope_is_made_as_often_as_pytest_makes_it(project: Project, scope: str, made: int) -> None:
    project.agent(f"""
        import pytest
        from pathlib import Path
        @pytest.fixture(scope={scope!r})
        def agent():
            with (Path(__file__).parent / "made.txt").open("a") as stream:
                stream.write("x")
            return lambda text: text
    """)
    source = """
        class TestOne:
            @agent_cases(Case(id="{0}1", input="x"))
            def test_a(self, trial): assert trial.output == "x"
        class TestTwo:
            @agent_cases(Case(id="{0}2", input="y"))
            def test_b(self, trial): assert trial.output == "y"
    """
    project.test(source.format("a"), path="suites/refunds/test_a.py")
    project.test(
        source.format("b").replace('input="y"))', 'input="y"), Case(id="b3", input="y"))'),
        path="suites/refunds/test_b.py",
    )
    assert len(project.run().trials) == 5
    assert (project.root / "made.txt").read_text() == "x" * made


def test_another_agent_stands_in_and_the_users_is_not_even_built(both: Project) -> None:
    both.agent("""
        import pytest
        @pytest.fixture(scope="session")
        def expensive(): raise RuntimeError("must not be built")
        @pytest.fixture(scope="session")
        def agent(): raise RuntimeError("must not be built")
    """)
    both.put("other.py", "def answer(text):\n    return 'other: ' + text\n")
    both.setting('pythonpath = ["."]', table="tool.pytest.ini_options")
    both.cases("hello", "you")
    session = both.run("--agent-eval-agent", "other:answer")
    assert {one["trajectory"]["output"] for one in session.trials} == {"other: hello", "other: you"}


def test_a_target_that_is_no_agent_is_4(project: Project) -> None:
    project.cases("hello")
    session = project.run("--agent-eval-agent", "nonsense")
    assert session.code == 4
    assert "'nonsense' names no agent" in session.text


def outcome(session: Session) -> list[object]:
    """What must be the same in a replay: answers and scores, times apart."""
    timed = {"latency_seconds"}
    return [
        [
            one["case"]["id"],
            one.get("attempt", 1),
            one["trajectory"].get("output"),
            one["trajectory"].get("error"),
            [score for score in one["scores"] if score["metric"] not in timed],
        ]
        for one in session.trials
    ]


def test_a_replay_scores_what_was_recorded(both: Project) -> None:
    both.cases("hello", "wrong", "crash", repeats=2)
    live = both.run("--agent-eval-record")
    assert [path.name for path in (both.root / "suites/refunds/recordings").iterdir()] == ["shop.jsonl"]
    both.agent("")  # no agent at all
    replayed = both.run("--agent-eval-mode=replay")
    assert outcome(replayed) == outcome(live)
    assert {one["origin"] for one in replayed.trials} == {"replay"}


def test_a_recording_is_chosen_by_its_name(project: Project) -> None:
    project.cases("hello")
    project.run("--agent-eval-record")
    folder = project.root / "suites/refunds/recordings"
    (folder / "older.jsonl").write_text((folder / "shop.jsonl").read_text().replace("within 30 days", "who knows"))
    session = project.run("--agent-eval-mode=replay", "--agent-eval-agent", "older")
    assert session.trials[0]["trajectory"]["output"] == "who knows"


def test_a_replay_without_a_recording_is_4(project: Project) -> None:
    project.cases("hello")
    session = project.run("--agent-eval-mode=replay")
    assert session.code == 4
    assert "has no recording" in session.text


def test_a_test_that_calls_its_agent_itself_hands_over_the_trial(both: Project) -> None:
    both.test("""
        @agent_cases(Case(id="a", input="hello"), metrics=["contains"])
        def test_refund(agent, case, record_trial):
            trial = record_trial(agent(case.input))
            assert trial.output == "within 30 days"
    """)
    session = both.run()
    [trial] = session.trials
    assert trial["trajectory"] == {"output": "within 30 days", "agent": {"name": "shop"}}
    assert session.scores("a")["latency_seconds"] is None


def test_a_second_trial_of_an_attempt_is_refused_and_its_scores_are_not_joined(both: Project) -> None:
    both.test("""
        CASE = Case(id="a", input="hello", expect={"contains": ["yes"]})
        @agent_cases(CASE, metrics=["contains"])
        def test_refund(trial): pass
        @agent_cases(CASE, metrics=["success"])
        def test_own_call(agent, case, record_trial):
            record_trial("yes, indeed")
    """)
    session = both.run()
    assert 1 in session.causes
    assert "attempt 1 of case 'a' has a trial already" in session.text
    assert {session.scores("a")[name] for name in ("contains", "success")} == {False}


def test_a_test_that_hands_over_no_trial_fails(project: Project) -> None:
    project.test("""
        @agent_cases(Case(id="a", input="hello"))
        def test_refund(agent, case): pass
    """)
    session = project.run()
    assert 1 in session.causes
    assert "handed over no trial: call record_trial(answer)" in session.text


def test_an_empty_answer_that_is_handed_over_is_an_agent_error(project: Project) -> None:
    project.test("""
        @agent_cases(Case(id="a", input="hello"))
        def test_refund(agent, case, record_trial):
            record_trial(None)
    """)
    session = project.run("-v")
    assert "AGENT ERROR" in session.text
    assert session.trials[0]["trajectory"]["error"]["kind"] == "agent"


ASYNC = {
    "async": "async def shop(text):\n    await asyncio.sleep(0)\n    return 'a ' + text",
    "async-that-blocks": "async def shop(text):\n    time.sleep(0.01)\n    return 'a ' + text",
    "callable-of-an-awaitable": "def shop(text):\n    async def answer(): return 'a ' + text\n    return answer()",
}


@pytest.mark.parametrize(("kind", "workers"), [*((kind, 0) for kind in ASYNC), ("async", 2)])
def test_an_async_agent_is_awaited(project: Project, kind: str, workers: int) -> None:
    project.put(
        "conftest.py",
        f"import asyncio, time, pytest\n{ASYNC[kind]}\n@pytest.fixture(scope='session')\ndef agent(): return shop\n",
    )
    project.cases("x", "y")
    assert {one["trajectory"]["output"] for one in project.run(workers=workers).trials} == {"a x", "a y"}


def test_the_journal_holds_a_trial_before_its_item_is_reported(project: Project) -> None:
    project.agent("""
        import json, pytest
        from pathlib import Path

        @pytest.fixture(scope="session")
        def agent(): return lambda text: "yes"

        def pytest_runtest_logreport(report):
            root = Path(__file__).parent
            lines = [json.loads(line)["event"] for file in root.glob(".agenteval/runs/*/journal-*.jsonl")
                     for line in file.read_text().splitlines()]
            with (root / "seen.jsonl").open("a") as stream:
                stream.write(json.dumps([report.when, lines]) + "\\n")
    """)
    project.cases("hello")
    project.run()
    seen = [json.loads(line) for line in Path(project.root / "seen.jsonl").read_text().splitlines()]
    assert seen[:2] == [["setup", []], ["call", ["called", "scored"]]]
