"""Other plug-ins beside ours: each does what it does, and each item still has one trial, of one call."""

from __future__ import annotations

from collections import Counter
from importlib.metadata import distributions

import pytest

from tests.plugin.sessions import Project, Session
from tests.plugin.test_concurrency import SESSION_AGENT, agents, cases, failed, log
from tests.quiet import OTHERS, QUIET


def calls(project: Project) -> Counter[str]:
    """By the text that was asked, how often."""
    return Counter(words[2] for words in log(project) if words[0] == "call")


def beside(project: Project, plugin: str, *words: str) -> Session:
    if plugin == "asyncio":
        project.setting('asyncio_default_fixture_loop_scope = "function"', "tool.pytest.ini_options")
    return project.run("-p", plugin, *words)


def test_our_own_tests_and_inner_sessions_do_without_them(pytestconfig: pytest.Config) -> None:
    found = {point.name for one in distributions() for point in one.entry_points if point.group == "pytest11"}
    assert set(OTHERS) <= found
    assert not {name for name in OTHERS if pytestconfig.pluginmanager.has_plugin(name)}
    blocked = {word.removeprefix("no:") for word in QUIET if word.startswith("no:")}
    assert found - blocked == {"pytest_agenteval", "xdist", "xdist.looponfail"}


@pytest.mark.parametrize(("kind", "method"), [("Blocking", "signal"), ("Async", "thread")])
def test_pytest_timeout_does_not_count_the_time_in_which_a_trial_is_awaited(
    project: Project, kind: str, method: str
) -> None:
    agents(project, SESSION_AGENT.replace("Blocking()", f"{kind}(seconds=0.5)"))
    project.test(f"{cases('a', 'b', 'c')}\ndef test_refund(trial): assert trial.output\n")
    words = ["--timeout=0.25", f"--timeout-method={method}", "--agent-eval-concurrency", "2", "-q"]
    session = beside(project, "timeout", *words)
    assert failed(session) == []
    assert len(session.trials) == 3
    assert "Timeout" not in session.text


@pytest.mark.parametrize("func_only", ["true", "false"])
def test_pytest_timeout_ends_a_body_that_hangs_though_its_agent_took_longer_than_that(
    project: Project, func_only: str
) -> None:
    agents(project, SESSION_AGENT.replace("Blocking()", "Blocking(seconds=0.4)"))
    project.setting(f"timeout_func_only = {func_only}", "tool.pytest.ini_options")
    project.test(f"""
        import time
        {cases("a", "b", "c")}
        def test_refund(trial, case):
            time.sleep(5 if case.id == "b" else 0)
    """)
    session = beside(project, "timeout", "--timeout=0.2", "-q")
    assert failed(session) == ["suites/refunds/test_refunds.py::test_refund[b]"]
    assert "Timeout (>0.2s) from pytest-timeout" in session.text
    assert len(session.trials) == 3


ASYNC_BODIES = """
import asyncio
{mark}
{cases}
async def test_refund(trial, case, agent):
    await asyncio.sleep(0.001)
    assert trial.output == f"{{case.input}} by {{agent.number}}"

{mark}
@pytest.mark.parametrize("n", range(2))
async def test_plain(n):
    await asyncio.sleep(0.001)

{mark}
{more}
async def test_wrong(trial):
    await asyncio.sleep(0)
    assert not trial.output
"""


@pytest.mark.parametrize(
    ("plugin", "words", "mark"),
    [
        ("asyncio", ["--asyncio-mode=auto"], ""),
        ("asyncio", ["--asyncio-mode=strict"], "@pytest.mark.asyncio"),
        ("anyio", [], "@pytest.mark.anyio"),
    ],
    ids=["asyncio-auto", "asyncio-strict", "anyio"],
)
def test_async_bodies_run_beside_async_agents(project: Project, plugin: str, words: list[str], mark: str) -> None:
    agents(
        project,
        SESSION_AGENT.replace("Blocking", "Async"),
        'anyio_backend = pytest.fixture(scope="session")(lambda: "asyncio")\n',
    )
    project.test(ASYNC_BODIES.format(mark=mark, cases=cases(*"abcdefgh"), more=cases("i", "j")))
    session = beside(project, plugin, *words, "-q", "-W", "default")
    assert [name.rpartition("::")[2] for name in failed(session)] == ["test_wrong[i]", "test_wrong[j]"]
    assert calls(project) == dict.fromkeys("abcdefghij", 1)
    assert {words[3] for words in log(project) if words[0] == "call"} > {"1"}  # some were called ahead


def test_an_async_agent_fixture_of_pytest_asyncio_is_awaited_by_it(project: Project) -> None:
    agents(
        project,
        """
        import pytest_asyncio
        @pytest_asyncio.fixture(scope="session", loop_scope="session")
        async def agent():
            await asyncio.sleep(0)
            agent = Async()
            yield agent
            agent.down()
        """,
    )
    project.test(f"{cases(*'abcdef')}\ndef test_refund(trial, case, agent): assert trial.output.endswith(' by 1')\n")
    session = beside(project, "asyncio", "-q", "-W", "default")
    assert failed(session) == []
    assert calls(project) == dict.fromkeys("abcdef", 1)
    assert log(project)[-1] == ["down", "1", "0"]


@pytest.mark.parametrize("seed", [1, 2])
def test_pytest_randomly_shuffles_and_each_item_has_the_answer_of_its_own_agent(project: Project, seed: int) -> None:
    fixture = (
        '@pytest.fixture(scope="module")\ndef agent():\n    agent = Blocking()\n    yield agent\n    agent.down()\n'
    )
    agents(project, fixture)
    check = "assert trial.output == f'{case.input} by {agent.number}'"
    for module in "xyz":
        names = [f"{module}{n}" for n in range(6)]
        project.test(f"{cases(*names)}\ndef test_it(trial, case, agent): {check}\n", f"suites/refunds/test_{module}.py")
    session = beside(project, "randomly", f"--randomly-seed={seed}", "-q")
    assert failed(session) == []
    assert set(calls(project).values()) == {1}
    order = [words[2] for words in log(project) if words[0] == "call"]
    assert sorted(order) != order
    assert {words[2] for words in log(project) if words[0] == "down"} == {"0"}


def test_pytest_rerunfailures_runs_a_body_again_on_the_same_trial(project: Project) -> None:
    agents(project)
    project.test(f"""
        import pathlib
        {cases(*"abcdef")}
        def test_refund(trial, case, agent):
            assert trial.output == f"{{case.input}} by {{agent.number}}"
            before = pathlib.Path(f"before-{{case.id}}")
            fails = case.id in "bd" and not before.exists() or case.id == "f"
            before.touch()
            assert not fails
    """)
    session = beside(project, "rerunfailures", "--reruns=2", "-q")
    assert {name[-2] for name in failed(session)} == {"f"}
    assert session.result.parseoutcomes()["rerun"] == 4
    assert calls(project) == dict.fromkeys("abcdef", 1)
    assert len(session.trials) == 6


@pytest.mark.parametrize("dist", ["load", "loadscope", "loadfile", "worksteal"])
def test_xdist_deals_in_each_of_its_ways_and_each_item_has_its_own_answer(project: Project, dist: str) -> None:
    agents(project)
    check = "assert trial.output == f'{case.input} by {agent.number}'"
    for module in "xyz":
        names = [f"{module}{n}" for n in range(5)]
        project.test(
            f"{cases(*names)}\ndef test_it(trial, case, agent): {check}\n"
            f"{cases(names[0])}\ndef test_more(trial, case, agent): {check}\n",
            f"suites/refunds/test_{module}.py",
        )
    words = ["--dist", dist, "--maxprocesses=2", "--agent-eval-concurrency", "4", "-q"]
    session = project.run("-n", "3", *words)
    assert failed(session) == []
    assert len(session.trials) == 15
    most = {"load": 1, "loadscope": 1}.get(dist, 2)  # the others part items of one trial
    assert max(calls(project).values()) <= most
    assert max(int(words[3]) for words in log(project) if words[0] == "call") <= 2  # of 4, each worker may make half
