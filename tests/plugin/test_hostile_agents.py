"""An agent that would have CI green cannot: pytest's exit code is not 0, or that of verdict check is not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest

from pytest_agenteval.app.verdictfile import read_verdict
from pytest_agenteval.cli import main
from pytest_agenteval.model.verdict import Outcome
from tests.quiet import QUIET

PYPROJECT = """
[tool.pytest-agenteval.suites.refunds.gate]
success = { floor = 0.5, margin = 0.1 }
"""
TEST = """
from pytest_agenteval import Case, agent_cases

DUE = {"contains": ["30 days"], "calls": [{"name": "refund", "args": {"order": 7}}]}

@agent_cases(*[Case(id=f"c{n}", input=f"order {n}", expect=DUE) for n in range(20)], metrics=["success"])
def test_refund(trial, case):
    assert "stolen" not in str(trial.output)
"""
AGENT = """
import pytest
from pytest_agenteval import Step, Trajectory

def good(text):
    return Trajectory(output="within 30 days", steps=[Step(kind="tool", name="refund", input={"order": 7})])

def bad(text):
    return "no"
"""
HONEST = "\n@pytest.fixture\ndef agent():\n    return good\n"
RUN = "ci-7"


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What CI sees: the exit code of the session, and that of the check after it."""

    session: int
    check: int
    text: str

    @property
    def green(self) -> bool:
        return self.session == 0 and self.check == 0


def session(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "--agent-eval", "-q", "-p", "no:cacheprovider", *QUIET, *words]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with an approved baseline and a green run, whose verdict is kept beside it."""
    root = tmp_path_factory.mktemp("project")
    (root / "suites" / "refunds").mkdir(parents=True)
    (root / "pyproject.toml").write_text(PYPROJECT, "utf-8")
    (root / "suites" / "refunds" / "test_refunds.py").write_text(TEST, "utf-8")
    (root / "conftest.py").write_text(AGENT + HONEST, "utf-8")
    session(root)
    assert main(["--root", str(root), "baseline", "approve", "refunds", "--reason", "good", "--by", "Dana"]) == 0
    assert session(root).returncode == 0
    shutil.copy(root / ".agenteval" / "verdict.json", root / "green.json")
    return root


@pytest.fixture
def project(template: Path, tmp_path: Path) -> Path:
    root = tmp_path / "project"
    shutil.copytree(template, root)
    return root


def ended(root: Path, source: str, workers: int = 0) -> Ended:
    """Run the project with this agent, and check the verdict in another process than the agent's."""
    (root / "conftest.py").write_text(AGENT + dedent(source), "utf-8")
    spread = ("-n", str(workers), "--max-worker-restart", "1") if workers else ()
    done = session(root, "--agent-eval-run-id", RUN, *spread)
    words = ["verdict", "check", "--run-id", RUN, "--max-age", "1h", "--expect-cases", "20"]
    return Ended(session=done.returncode, check=main(["--root", str(root), *words]), text=done.stdout + done.stderr)


def agent(body: str, before: str = "") -> str:
    """The source of an agent that is bad, and does this at each call."""
    return f"\n{before}\n@pytest.fixture\ndef agent():\n    def hostile(text):\n        {body}\n    return hostile\n"


PATCH_JSON = """
import json
def forged(*_, **__): return '{"exit_code": 0, "causes": [], "verdicts": [], "schema": "agenteval-verdict/1"}'
json.dumps = forged
json.dump = lambda value, file, **_: file.write(forged())
json.loads = lambda *_, **__: {"exit_code": 0}
"""
PATCH_ENCODER = PATCH_JSON + "json.JSONEncoder.encode = forged\n"
PATCH_TIME = """
import time
time.time = time.monotonic = time.perf_counter = lambda: 0.0
time.sleep = lambda _: None
"""
PATCH_OPEN = """
import builtins, io
real = io.real = getattr(io, "real", io.open)
def opened(file, *rest, **more):
    return real("green.json" if str(file).endswith("verdict.json") else file, *rest, **more)
builtins.open = io.open = opened
"""
PATCH_WRITES = """
import os
writes = os.write
os.write = lambda handle, content: len(content)
"""
LIAR = """
class Liar(str):
    __eq__ = __contains__ = __bool__ = lambda *_: True
    __ne__ = lambda *_: False
    __hash__ = str.__hash__
    __len__ = lambda _: 30
    def lower(self): return "30 days"
    casefold = strip = __str__ = __format__ = lambda self, *_: "within 30 days"

class Dict(dict):
    __eq__ = __contains__ = lambda *_: True
    __ne__ = lambda *_: False
    get = __getitem__ = lambda *_: Liar("30 days")

class Float(float):
    __eq__ = __le__ = __ge__ = __lt__ = __gt__ = lambda *_: True
    __ne__ = lambda *_: False

class Any:
    __eq__ = __le__ = __ge__ = __lt__ = __gt__ = __contains__ = lambda *_: True
    __hash__ = lambda _: 0
    __iter__ = lambda _: iter(())

class Pretender:
    __eq__ = lambda *_: True
    __class__ = property(lambda _: str)

class Own(Trajectory):
    calls = property(lambda _: (Step(kind="tool", name="refund", input={"order": 7}),))

def told(step):
    return Trajectory(output="within 30 days", steps=[step])
"""
JUDGE_PATCHES = """
import pytest_agenteval.app.judging as judging
import pytest_agenteval.pipeline.gate as gate
from dataclasses import replace
from pytest_agenteval.model.verdict import Outcome
judges = judging.judge
def all_pass(gated, policy):
    return [replace(one, outcome=Outcome.PASS) for one in judges(gated, policy)]
judging.judge = gate.judge = all_pass
"""
NO_CAUSES = """
import pytest_agenteval.app.judging as judging
judging._causes = lambda *_: []
"""
NO_CODES = """
import pytest_agenteval.pipeline.exits as exits
exits.code_of = lambda *_: 0
exits.standing = lambda *_: 0
"""
FORGE = """
import json, pathlib
from pytest_agenteval.app.verdictfile import digest_of
def forge():
    file = pathlib.Path(".agenteval/verdict.json")
    row = json.loads(file.read_text()) if file.exists() else json.loads(pathlib.Path("green.json").read_text())
    row.pop("digest", None)
    row |= {"run": "ci-7", "exit_code": 0, "causes": []}
    row["verdicts"] = [one | {"outcome": "pass"} for one in row["verdicts"]]
    file.write_text(json.dumps(row | {"digest": digest_of(row)}))
"""

LATER = """
@pytest.fixture
def agent():
    async def hostile(text):
        raise SystemExit(0)
    return hostile
"""
LIARS = {
    "a text equal to all": "Liar('no')",
    "a text that is no text": "Pretender()",
    "a mapping that holds all": "Dict(answer='no')",
    "an answer that is anything": "Any()",
    "an output that is anything": "Trajectory(output=Any())",
    "calls with any argument": "told(Step(kind='tool', name='refund', input=Dict(order=0)))",
    "calls of any name": "told(Step(kind='tool', name=Liar('steal'), input={'order': 7}))",
    "steps of any kind": "told(Step(kind=Any(), name='steal', input={'order': 7}))",
    "numbers equal to all": "told(Step(kind='tool', name='refund', input={'order': Float(0)}))",
    "a confidence that is anything": "Trajectory(output='no', confidence=Any())",
    "a trajectory of its own kind": "Own(output='within 30 days', steps=[])",
    "a success that it claims itself": "Trajectory(output='no', recorded={'success': True})",
}
"""What each returns is wrong, and says that it is right."""

HOSTILE = {
    "os._exit in the call": agent("import os; os._exit(0)"),
    "os._exit in a thread": agent(
        "import os, threading; thread = threading.Thread(target=os._exit, args=(0,)); thread.start(); thread.join()"
    ),
    "os._exit at exit": agent("return 'no'", "import atexit, os\natexit.register(os._exit, 0)"),
    "os._exit from the os module of old": agent("leave(0)", "from os import _exit as leave"),
    "another program in place of this one": agent(
        "import os, sys; os.execv(sys.executable, [sys.executable, '-c', ''])"
    ),
    "sys.exit": agent("import sys; sys.exit(0)"),
    "pytest.exit": agent("pytest.exit('done', returncode=0)"),
    "SystemExit": agent("raise SystemExit(0)"),
    "SystemExit later": LATER,
    "KeyboardInterrupt": agent("raise KeyboardInterrupt"),
    "pytest.exit when its fixture goes down": (
        "\n@pytest.fixture(scope='session')\ndef agent():\n    yield bad\n    pytest.exit('done', returncode=0)\n"
    ),
    "json patched": agent("return 'no'", PATCH_JSON),
    "json patched in the call": agent(f"exec({PATCH_JSON!r}, globals()); return 'no'"),
    "json's encoder patched": agent(f"exec({PATCH_ENCODER!r}, globals()); return 'no'"),
    "time patched": agent(f"exec({PATCH_TIME!r}, globals()); return 'no'"),
    "open patched": agent(f"exec({PATCH_OPEN!r}, globals()); return 'no'"),
    "writes that write nothing": agent(f"exec({PATCH_WRITES!r}, globals()); return 'no'"),
    "a judge that lets all pass": agent("return 'no'", JUDGE_PATCHES),
    "verdicts without consequence": agent("return 'no'", NO_CAUSES),
    "codes that are all 0": agent("return 'no'", NO_CODES),
    "a verdict that is taken away": agent(
        "import pathlib; pathlib.Path('.agenteval/verdict.json').unlink(missing_ok=True); return 'no'"
    ),
    "a past verdict put in its place": agent(
        "return 'no'", "import shutil, atexit\natexit.register(shutil.copy, 'green.json', '.agenteval/verdict.json')"
    ),
    "a past verdict, and os._exit": agent(
        "leave(0)",
        "import os, shutil\ndef leave(n):\n    shutil.copy('green.json', '.agenteval/verdict.json'); os._exit(n)",
    ),
    "a past verdict by this id, and os._exit": agent("forge(); leave(0)", FORGE + "\nfrom os import _exit as leave\n"),
    "a verdict written anew at the end": agent(
        "return 'no'", FORGE + "\nimport atexit, os\natexit.register(os._exit, 0)\natexit.register(forge)"
    ),
}

ENDS = {
    "os._exit in the call": (12, 12),
    "os._exit in a thread": (12, 12),
    "os._exit at exit": (0, 10),
    "os._exit from the os module of old": (0, 12),
    "another program in place of this one": (0, 12),
    "sys.exit": (10, 10),
    "pytest.exit": (10, 10),
    "SystemExit": (10, 10),
    "SystemExit later": (10, 10),
    "KeyboardInterrupt": (10, 10),
    "pytest.exit when its fixture goes down": (10, 10),
    "json patched": (10, 10),
    "json patched in the call": (10, 10),
    "json's encoder patched": (12, 12),
    "time patched": (10, 10),
    "open patched": (10, 10),
    "writes that write nothing": (10, 12),
    "a judge that lets all pass": (0, 12),
    "verdicts without consequence": (0, 12),
    "codes that are all 0": (0, 12),
    "a verdict that is taken away": (10, 10),
    "a past verdict put in its place": (10, 12),
    "a past verdict, and os._exit": (12, 12),
    "a past verdict by this id, and os._exit": (0, 12),
    "a verdict written anew at the end": (0, 12),
}
"""The exit codes of the session and of the check. Where the first is 0, the second is what holds."""


def test_the_honest_twin_is_green(project: Path) -> None:
    found = ended(project, HONEST)
    assert found.green, found.text


def test_the_bad_agent_that_tries_nothing_is_red(project: Path) -> None:
    found = ended(project, agent("return bad(text)"))
    assert (found.session, found.check) == (10, 10)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_agent_is_not_green(project: Path, name: str) -> None:
    found = ended(project, HOSTILE[name])
    assert (found.session, found.check) == ENDS[name], found.text
    assert not found.green


# Each of them costs seconds; `make test-full` tries all.
SPREAD = ("os._exit in the call", "pytest.exit", "a past verdict put in its place", "a judge that lets all pass")


@pytest.mark.parametrize("name", HOSTILE if "PYTEST_AGENTEVAL_FULL" in os.environ else SPREAD)
def test_a_hostile_agent_is_not_green_with_two_workers(project: Path, name: str) -> None:
    """Which worker is lost when is chance, and so is which of the red codes it is."""
    found = ended(project, HOSTILE[name], workers=2)
    assert not found.green, found.text


@pytest.mark.parametrize("workers", [0, 2], ids=["plain", "two-workers"])
def test_objects_that_say_they_are_right_are_wrong(project: Path, workers: int) -> None:
    """Each kind is an agent of its own, and so a suite of its own."""
    made = "".join(f"    {name!r}: lambda: {value},\n" for name, value in LIARS.items())
    source = f"""{LIAR}
LIARS = {{
{made}}}

@pytest.fixture(params=LIARS, ids=[name.replace(" ", "-") for name in LIARS])
def agent(request):
    return lambda text: LIARS[request.param]()
"""
    found = ended(project, source, workers)
    assert (found.session, found.check) == (10, 10), found.text
    verdicts = read_verdict(project / ".agenteval" / "verdict.json").verdicts
    outcomes = {one.suite: one.outcome for one in verdicts if one.metric == "success"}
    assert outcomes == {f"refunds[{name.replace(' ', '-')}]": Outcome.BELOW_FLOOR for name in LIARS}


def test_a_process_that_os_exit_ends_says_so_and_is_12(project: Path) -> None:
    found = ended(project, HOSTILE["os._exit in the call"])
    assert (found.session, found.check) == (12, 12)
    assert "the process was ended by os._exit(0) before the gate had judged: exit code 12" in found.text


CHILDREN = """
import multiprocessing, os

def nothing():
    pass

@pytest.fixture
def agent():
    def parent(text):
        child = multiprocessing.get_context("fork").Process(target=nothing)
        child.start()
        child.join()
        forked = os.fork()
        if not forked:
            os._exit(0)
        statuses = (child.exitcode, os.waitpid(forked, 0)[1])
        return good(text) if statuses == (0, 0) else bad(text)
    return parent
"""


@pytest.mark.parametrize("workers", [0, 2], ids=["plain", "two-workers"])
def test_children_of_an_agent_end_as_they_like(project: Path, workers: int) -> None:
    found = ended(project, CHILDREN, workers)
    assert found.green, found.text


def test_what_ended_a_process_before_the_session_ends_it_after(pytester: pytest.Pytester) -> None:
    before = os._exit
    pytester.makepyfile("import os\ndef test_it(): assert os._exit.__name__ == 'leave_red'")
    pytester.runpytest_inprocess(*QUIET, "--agent-eval").assert_outcomes(passed=1)
    assert os._exit is before
