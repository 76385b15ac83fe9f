"""Calls ahead in whole sessions: each item has the answer of its own agent, and nothing else changes."""

from __future__ import annotations

import ast
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from textwrap import dedent

import pytest

from tests.pipeline.calls import wait_until
from tests.plugin.sessions import Project, Session
from tests.quiet import QUIET

AGENTS = """
import asyncio, itertools, os, threading, time
import pytest

NUMBERS, LOCK = itertools.count(1), threading.Lock()

def log(*words):
    with open("calls.txt", "a") as file:
        file.write(" ".join(map(str, words)) + "\\n")

class Blocking:
    def __init__(self, seconds=0.003):
        self.number, self.now, self.seconds = next(NUMBERS), 0, seconds
    def begin(self, text):
        with LOCK:
            self.now += 1
            log("call", self.number, text, self.now)
    def end(self, text):
        with LOCK:
            self.now -= 1
            log("end", self.number, text)
        return f"{text} by {self.number}"
    def __call__(self, text):
        self.begin(text)
        time.sleep(self.seconds)
        return self.end(text)
    def down(self):
        log("down", self.number, self.now)

class Async(Blocking):
    async def __call__(self, text):
        self.begin(text)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            answer = self.end(text)
        return answer
"""

SESSION_AGENT = """
@pytest.fixture(scope="session")
def agent():
    agent = Blocking()
    yield agent
    agent.down()
"""


def agents(project: Project, fixture: str = SESSION_AGENT, *hooks: str) -> None:
    project.agent(AGENTS + dedent(fixture) + "".join(dedent(hook) for hook in hooks))


def log(project: Project) -> list[list[str]]:
    """What the agents wrote: their calls, and when they went down."""
    file = project.root / "calls.txt"
    return [line.split() for line in file.read_text().splitlines()] if file.exists() else []


def n_calls(project: Project) -> int:
    return sum(words[0] == "call" for words in log(project))


def failed(session: Session) -> list[str]:
    """Node ids of the items that failed; what the gate says is of no interest here."""
    return [line.split()[1] for line in session.result.outlines if re.match(r"(FAILED|ERROR) suites/", line)]


def cases(*names: str) -> str:
    made = ", ".join(f"Case(id={name!r}, input={name!r})" for name in names)
    return f"@agent_cases({made})"


SCOPES = {
    "session": '@pytest.fixture(scope="session")',
    "package": '@pytest.fixture(scope="package")',
    "module": '@pytest.fixture(scope="module")',
    "class": '@pytest.fixture(scope="class")',
    "function": "@pytest.fixture",
    "session-of-two": '@pytest.fixture(scope="session", params=["x", "y"])',
    "module-of-two": '@pytest.fixture(scope="module", params=["x", "y"])',
    "above-two": (
        '@pytest.fixture(scope="module", params=["x", "y"])\ndef model(request): return request.param\n'
        '@pytest.fixture(scope="module")'
    ),
}

SHUFFLED = """
@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: sum(map(ord, item.nodeid)) % 7)
"""


@pytest.mark.parametrize("order", ["collected", "shuffled"])
@pytest.mark.parametrize("scope", SCOPES)
def test_each_item_has_the_answer_of_the_agent_that_it_is_given(project: Project, scope: str, order: str) -> None:
    above = "model" if scope == "above-two" else ""
    kind = "Async" if scope in ("module", "session-of-two") else "Blocking"
    agents(
        project,
        f"{SCOPES[scope]}\ndef agent({above}):\n    agent = {kind}()\n    yield agent\n    agent.down()\n",
        SHUFFLED if order == "shuffled" else "",
    )
    check = "assert trial.output == f'{case.input} by {agent.number}'"
    for suite in ("one", "two"):
        project.put(f"suites/{suite}/__init__.py", "")
        for module in "ab":
            first, second = (tuple(f"{suite}{module}{part}{n}" for n in range(4)) for part in "fg")
            project.test(
                f"{cases(*first)}\ndef test_alone(trial, case, agent): {check}\n"
                f"class TestTogether:\n    {cases(*second)}\n    def test_it(self, trial, case, agent): {check}\n",
                path=f"suites/{suite}/test_{suite}_{module}.py",
            )
    session = project.run("--agent-eval-concurrency", "4", "--agent-eval-partial")
    twice = 2 if "two" in scope else 1
    assert session.result.parseoutcomes()["passed"] >= 32 * twice
    assert failed(session) == []
    entries = log(project)
    called = Counter(words[2] for words in entries if words[0] == "call")
    assert set(called.values()) == {twice}
    assert len(called) == 32
    assert {words[2] for words in entries if words[0] == "down"} == {"0"}
    down: set[str] = set()
    for words in entries:
        down |= {words[1]} if words[0] == "down" else set()
        assert words[0] == "down" or words[1] not in down
    peak = max(int(words[3]) for words in entries if words[0] == "call")
    assert peak == 1 if scope == "function" else peak <= 4


TALKATIVE = """
import asyncio, logging, sys, threading, warnings
import pytest

def tell(text):
    print(f"said of {text}")
    print(f"moaned of {text}", file=sys.stderr)
    logging.getLogger("agent").warning("logged of %s", text)
    if "crash" in text:
        raise ValueError("boom")
    if "down" in text:
        raise ConnectionError("no route")
    return text

async def tell_later(text):
    print(f"begun {text}")
    await asyncio.sleep(0.002)
    return tell(text)

@pytest.fixture(scope="session", params=[tell, tell_later], ids=["blocking", "async"])
def agent(request):
    return request.param
"""

WAYS = """
@agent_cases(*[Case(id=f"c{n}", input=f"{way} {n}") for n, way in enumerate(
    ["plain", "fails", "talks", "skips", "xfails", "crash", "down", "warns", "fails talks", "moans", "plain"])])
@pytest.mark.parametrize("tone", ["kind"])
def test_refund(trial, case, tone):
    import logging, sys, warnings
    way = case.input
    if "talks" in way:
        print(f"body of {case.id}")
        logging.getLogger("body").error("body logs %s", case.id)
    if "moans" in way:
        print(f"body moans {case.id}", file=sys.stderr)
    if "warns" in way:
        warnings.warn("old")
    if "skips" in way:
        pytest.skip("closed today")
    if "xfails" in way:
        pytest.xfail("known")
    assert "fails" not in way, trial.output
"""

REPORTS = """
def pytest_runtest_logreport(report):
    with open("reports.txt", "a") as file:
        if report.when == "call":
            file.write(repr((report.nodeid, report.outcome, report.longreprtext, report.sections)) + "\\n")
        elif report.when == "setup":
            file.write("SETUP\\n")
"""

ALL_PHASES = "\ndef pytest_runtest_setup(item): pass\n"


def plainly(text: str) -> str:
    """Without what no two runs share."""
    text = re.sub(r'time(stamp)?="[^"]*"|hostname="[^"]*"|in \d+\.\d+s|\d\.\d{4}|0x[0-9a-f]+', "…", text)
    return re.sub(r" +", " ", text)


def test_light_items_are_reported_like_those_that_run_through_all_phases(project: Project) -> None:
    found = []
    project.setting("retries = 0")
    project.test(WAYS)
    for hooks in ("", ALL_PHASES):
        project.agent(TALKATIVE + REPORTS + hooks)
        session = project.run("-rA", "--tb=short", "--junitxml=junit.xml", "-Wdefault", "-p", "no:cacheprovider")
        reports = (project.root / "reports.txt").read_text()
        (project.root / "reports.txt").unlink()
        found.append((session, reports, (project.root / "junit.xml").read_text()))
    (light, light_reports, light_junit), (full, full_reports, full_junit) = found
    assert (light_reports.count("SETUP"), full_reports.count("SETUP")) == (
        3,
        22,
    )  # the first of each agent, and the last
    assert light_reports.replace("SETUP\n", "").splitlines() == full_reports.replace("SETUP\n", "").splitlines()
    assert plainly(light_junit) == plainly(full_junit)
    assert light.code == full.code
    assert light.result.parseoutcomes() == full.result.parseoutcomes()
    assert plainly(light.text).splitlines() == plainly(full.text).splitlines()
    n_gates = 4
    outcomes = {"failed": 4 + n_gates, "passed": 10, "skipped": 2, "xfailed": 2, "warnings": 2}
    assert outcomes.items() <= light.result.parseoutcomes().items()


@pytest.mark.parametrize("word", ["--pdb", "--setup-show", "--log-cli-level=info"])
def test_whoever_looks_at_the_phases_of_an_item_sees_them_all(project: Project, word: str) -> None:
    project.agent(TALKATIVE + REPORTS)
    project.cases("a", "b", "c", "d")
    project.run(word)
    assert (project.root / "reports.txt").read_text().count("SETUP") == 8


def test_light_items_need_no_logging_plugin_and_are_timed_like_others(project: Project) -> None:
    agents(project)
    project.cases(*"abcdef")
    session = project.run("-p", "no:logging", "--durations=0", "-vv")
    assert failed(session) == []
    assert len(re.findall(r"^ *\d\.\d\ds call +suites/", session.text, re.MULTILINE)) == 6


WAYS_TO_CAPTURE = {
    "light": [],
    "full": ["--setup-show", "-q"],
    "sys": ["--capture=sys"],
    "tee": ["--capture=tee-sys"],
    "none": ["-s"],
    "workers": ["-n2"],
}


@pytest.mark.parametrize("how", WAYS_TO_CAPTURE)
def test_what_an_agent_says_is_told_with_its_own_item_and_nowhere_else(project: Project, how: str) -> None:
    project.agent(TALKATIVE + REPORTS)
    numbers = [f"number-{n}" for n in range(12)]
    project.test(f"{cases(*numbers)}\ndef test_refund(trial): print('body')\n")
    session = project.run(*WAYS_TO_CAPTURE[how], "--agent-eval-concurrency", "6")
    told: dict[str, str] = {}
    for line in (project.root / "reports.txt").read_text().splitlines():
        if line.startswith("('suites/"):
            nodeid, _, _, sections = ast.literal_eval(line)
            told[nodeid] = "".join(text for _, text in sections)
    expected = {"none": {"logged of"}}.get(how, {"said of", "moaned of", "logged of"})
    assert len(told) == 24
    for nodeid, text in told.items():
        assert set(re.findall(r"number-\d+", text)) == {re.findall(r"number-\d+", nodeid)[0]}
        assert {words for words in ("said of", "moaned of", "logged of") if words in text} == expected
        assert ("body" in text) == (how != "none")
    assert ("said of" in session.text) == (how in ("none", "tee"))
    assert "logged of" not in session.text


@pytest.mark.parametrize(
    ("words", "n_at_most", "workers"),
    [
        (["-x"], 6 + 8, 0),
        (["--maxfail=2"], 12 + 8, 0),
        (["--sw"], 6 + 8, 0),
        (["-x", "-p", "no:cacheprovider"], 6 + 8, 0),
        (["-k", "c5 or c11"], 22, 0),
        (["-k", "c50 or c51"], 2, 0),
    ],
)
def test_selections_and_stops_are_kept_to(project: Project, words: list[str], n_at_most: int, workers: int) -> None:
    agents(project)
    project.cases(*[f"{n}" for n in range(200)], body="assert int(case.id[1:]) % 6 != 5")
    session = project.run(*words, "--agent-eval-concurrency", "8", "-q", workers=workers)
    n_ran = sum(session.result.parseoutcomes().get(word, 0) for word in ("passed", "failed"))
    assert 2 <= n_calls(project) <= n_at_most
    assert n_ran >= 2


def test_what_failed_last_is_run_again_alone_and_ahead(project: Project) -> None:
    agents(project)
    project.cases(*[f"{n}" for n in range(30)], body="assert int(case.id[1:]) % 3")
    project.run("-q")
    (project.root / "calls.txt").unlink()
    session = project.run("--lf", "-q")
    assert len(session.trials) == n_calls(project) == 10
    assert max(int(words[3]) for words in log(project) if words[0] == "call") > 1


def test_items_that_need_state_of_their_own_are_called_in_place(project: Project) -> None:
    project.agent("""
        import os, pytest, threading

        @pytest.fixture(scope="session")
        def agent():
            return lambda text: f"{os.environ.get('MODE')} {len(threading.enumerate()) > 99}"

        @pytest.fixture
        def mode(monkeypatch, case):
            monkeypatch.setenv("MODE", case.id)

        @pytest.fixture
        def closed():
            pytest.skip("closed today")
    """)
    project.test(
        f"{cases(*'abcde')}\ndef test_set(mode, trial, case): assert trial.output == f'{{case.id}} False'\n"
        f"{cases(*'fgh')}\ndef test_after(trial, tmp_path): assert trial.output == 'None False'\n"
        f"{cases(*'ijk')}\ndef test_patched(monkeypatch, trial): assert trial.output == 'None False'\n"
        f"{cases(*'lmn')}\ndef test_closed(closed, trial): pass\n"
    )
    session = project.run("-rs")
    assert failed(session) == []
    assert session.result.parseoutcomes()["skipped"] == 3
    assert {trial["case"]["id"] for trial in session.trials} == set("abcdefghijk")


def test_a_module_that_skips_makes_no_call_and_its_neighbours_make_theirs(project: Project) -> None:
    agents(project)
    project.test(f"""
        @pytest.fixture(scope="module", autouse=True)
        def closed():
            pytest.skip("closed today")
        {cases(*"abc")}
        def test_it(trial): pass
    """)
    project.test(f"{cases(*'def')}\ndef test_other(trial): pass\n", path="suites/refunds/test_others.py")
    session = project.run()
    assert failed(session) == []
    assert {words[2] for words in log(project) if words[0] == "call"} == set("def")


@pytest.mark.parametrize("kind", ["Blocking", "Async"])
def test_ctrl_c_ends_a_session_with_long_calls_under_way_in_about_a_second(project: Project, kind: str) -> None:
    agents(project, SESSION_AGENT.replace("Blocking()", f"{kind}(seconds=8)"))
    project.cases(*"abcdefgh")
    command = [sys.executable, "-m", "pytest", "--agent-eval", "-q", *QUIET]
    with subprocess.Popen(
        command, cwd=project.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert wait_until(lambda: n_calls(project) == 8, seconds=20)
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=20)
        took = time.monotonic() - begun
    assert process.returncode == 2, said
    assert "KeyboardInterrupt" in said
    assert took < 2
