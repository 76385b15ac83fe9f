"""What a target names, and what it does not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pytest_agenteval.agents import adapt, connect
from pytest_agenteval.agents.callable import CallableAgent
from pytest_agenteval.agents.http import HttpAgent
from pytest_agenteval.agents.process import ProcessAgent
from pytest_agenteval.agents.replay import ReplayAgent
from pytest_agenteval.contracts import Agent, Call
from pytest_agenteval.errors import AgentTargetError
from pytest_agenteval.model.case import Case
from tests.agents.adversarial import payload

HELLO = Call(case=Case(id="a", input="hello"))


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module that is on the path for one test."""
    name = f"shop_{tmp_path.name}"
    source = "class Bots:\n    def polite(self, text):\n        return text + ', please'\n\nbots = Bots()\n"
    (tmp_path / f"{name}.py").write_text(source)
    (tmp_path / f"broken_{name}.py").write_text("raise RuntimeError('no key is set')\n")
    monkeypatch.syspath_prepend(tmp_path)
    return name


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("http://127.0.0.1:8000/ask", HttpAgent),
        ("HTTPS://agent.example.org", HttpAgent),
        ("cmd: cat -u", ProcessAgent),
        ("cmd:cat", ProcessAgent),
        ("operator:neg", CallableAgent),
    ],
)
def test_a_target_says_by_its_form_what_it_is(target: str, kind: type[Agent]) -> None:
    agent = connect(target)
    assert isinstance(agent, kind)
    assert agent.origin == "live"


@pytest.mark.parametrize("target", ["http://127.0.0.1:8000/ask", "cmd: cat", "operator:neg"])
def test_a_live_agent_is_asked_the_case_as_it_is(target: str) -> None:
    assert connect(target).asked(HELLO) is HELLO.case


@pytest.mark.parametrize("name", ["run.jsonl", "run.jsonl.gz", "kept.txt"])
def test_a_path_is_a_recording(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    agent = connect(tmp_path / name)
    assert isinstance(agent, ReplayAgent)
    assert agent.origin == "replay"


def test_a_text_that_ends_like_a_recording_is_one(tmp_path: Path) -> None:
    (tmp_path / "run.jsonl.gz").touch()
    assert isinstance(connect(str(tmp_path / "run.jsonl.gz")), ReplayAgent)


def test_a_recording_that_is_not_there_is_refused_at_once() -> None:
    with pytest.raises(AgentTargetError, match=r"no recording 'gone\.jsonl'.*--agent-eval-record"):
        connect("gone.jsonl")


@pytest.mark.parametrize("target", ["", "gpt-4", "ftp://host/x", "a:b:c", "http:/one-slash", "1:2", 42, len, None])
def test_anything_else_is_refused_with_what_is_possible(target: str) -> None:
    with pytest.raises(AgentTargetError, match=r"http://….*cmd: .*package\.module:name.*run\.jsonl"):
        connect(target)


def test_a_callable_given_as_a_target_is_told_its_way() -> None:
    with pytest.raises(AgentTargetError, match="handed in as it is"):
        connect(len)  # type: ignore[arg-type]  # the mistake under test


def test_a_file_url_is_no_agent() -> None:
    with pytest.raises(AgentTargetError, match="names no agent"):
        connect(payload("V082"))


def test_an_unknown_option_is_refused_with_those_there_are() -> None:
    with pytest.raises(AgentTargetError, match=r"'tiemout'.*its options are: timeout="):
        connect("cmd: cat", tiemout=3)


@pytest.mark.parametrize("timeout", [0, -1, float("inf"), float("nan"), True, "soon"])
@pytest.mark.parametrize("target", ["cmd: cat", "http://127.0.0.1:1/"])
def test_a_time_limit_is_a_time_above_zero(target: str, timeout: object) -> None:
    with pytest.raises(AgentTargetError, match="timeout= is a number of seconds above 0"):
        connect(target, timeout=timeout)


def test_an_object_of_a_module_is_found_by_its_dotted_name(module: str) -> None:
    agent = connect(f"{module}:bots.polite")
    assert agent.answer(HELLO).output == "hello, please"  # type: ignore[union-attr]  # it is not async


def test_an_attribute_that_is_not_there_is_named_with_its_neighbour(module: str) -> None:
    with pytest.raises(AgentTargetError, match=r"names nothing.*did you mean 'bots'"):
        connect(f"{module}:bot")


def test_a_module_that_is_not_there_is_told_where_it_was_sought() -> None:
    with pytest.raises(AgentTargetError, match=r"ModuleNotFoundError.*on the path"):
        connect("no_such_module_anywhere:agent")


def test_a_module_that_fails_while_it_is_read_keeps_its_reason(module: str) -> None:
    with pytest.raises(AgentTargetError, match="RuntimeError: no key is set"):
        connect(f"broken_{module}:agent")


def test_an_agent_stays_the_same_object() -> None:
    agent = connect("cmd: cat")
    assert adapt(agent) is agent


@pytest.mark.parametrize("thing", [None, 42, ["cat"], b"cmd: cat"])
def test_what_cannot_be_called_is_no_agent(thing: object) -> None:
    with pytest.raises(AgentTargetError, match="an agent is a callable"):
        adapt(thing)


def test_a_target_handed_in_as_an_agent_is_told_its_way() -> None:
    with pytest.raises(AgentTargetError, match=r"connect\(…\)"):
        adapt("http://127.0.0.1/")


def test_a_class_is_refused_in_favour_of_its_instance() -> None:
    with pytest.raises(AgentTargetError, match=r"is a class.*ProcessAgent\(…\)"):
        adapt(ProcessAgent)


def test_the_room_loads_no_adapter_before_it_is_asked() -> None:
    heavy = ("ssl", "http.client", "subprocess", "numpy")
    source = f"import pytest_agenteval.agents\nprint([name for name in {heavy} if name in sys.modules])"
    answer = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{source}"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert answer.stdout.strip() == "[]"
