"""A command as an agent: real processes, well-behaved and not."""

from __future__ import annotations

import json
import os
import shlex
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from pytest_agenteval.agents import connect
from pytest_agenteval.agents.callable import EmptyAnswer
from pytest_agenteval.agents.process import ProcessAgent
from pytest_agenteval.agents.wire import AgentAnswerError
from pytest_agenteval.contracts import Call
from pytest_agenteval.errors import AgentTargetError, InfrastructureError
from pytest_agenteval.model.case import Case
from pytest_agenteval.model.trajectory import AgentIdentity, Step, Trajectory
from tests.agents.adversarial import kinds, payload

CALL = Call(case=Case(id="a", input="hello é"), attempt=2)


def agent_of(source: str, **options: Any) -> ProcessAgent:
    """An agent that is this Python source; -S -E: it starts fast and is not measured."""
    return ProcessAgent(shlex.join([sys.executable, "-S", "-E", "-c", source]), **options)


def ask(source: str, call: Call = CALL, **options: Any) -> Trajectory:
    return agent_of(source, **options).answer(call)


def says(data: bytes) -> str:
    return f"import sys; sys.stdout.buffer.write({data!r})"


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that has ended may wait for its parent a while."""
    with suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    with suppress(ProcessLookupError):  # also where there is no /proc
        os.kill(pid, 0)
        return True
    return False


def ends_soon(pid: int) -> bool:
    until = time.monotonic() + 3
    while is_alive(pid) and time.monotonic() < until:
        time.sleep(0.01)
    return not is_alive(pid)


def pid_in(path: Path) -> int:
    until = time.monotonic() + 10
    while not (path.exists() and path.read_text().endswith("\n")) and time.monotonic() < until:
        time.sleep(0.01)
    return int(path.read_text())


ECHO = "import json, sys; print(json.dumps({'output': json.load(sys.stdin)}))"
HANG = "import os, sys, time; open(sys.argv[1], 'w').write(f'{os.getpid()}\\n'); time.sleep(60)"


def test_a_command_reads_its_question_and_writes_its_answer() -> None:
    assert ask(ECHO).output == {"case": "a", "attempt": 2, "input": "hello é"}


def test_a_command_may_answer_a_whole_trajectory() -> None:
    answer = {"output": "done", "steps": [{"kind": "tool", "name": "refund"}], "agent": {"name": "shop"}}
    assert ask(says(json.dumps(answer).encode())) == Trajectory(
        output="done", steps=(Step(kind="tool", name="refund"),), agent=AgentIdentity(name="shop")
    )


def test_a_command_is_known_by_its_words() -> None:
    assert connect("cmd:  cat -u ").identity == AgentIdentity(name="cat -u")


def test_no_shell_reads_the_command() -> None:
    command = shlex.join(
        [sys.executable, "-S", "-E", "-c", "import json, sys; print(json.dumps(' '.join(sys.argv[1:])))"]
    )
    assert ProcessAgent(f"{command} '$HOME' '*' ; exit 3").answer(CALL).output == "$HOME * ; exit 3"


@pytest.mark.parametrize("command", ["", "   ", "a\0b"])
def test_a_target_without_a_command_is_refused(command: str) -> None:
    with pytest.raises(AgentTargetError, match="names no command"):
        connect(f"cmd:{command}")


def test_a_quotation_that_does_not_end_is_refused() -> None:
    with pytest.raises(AgentTargetError, match="No closing quotation"):
        connect("cmd: python 'my agent.py")


@pytest.mark.parametrize("command", ["no-such-command-anywhere --flag", "/etc/passwd"])
def test_a_command_that_cannot_be_run_is_refused_at_once(command: str) -> None:
    with pytest.raises(AgentTargetError, match=f"no command '{command.split()[0]}'.*PATH"):
        connect(f"cmd: {command}")


def test_a_command_that_has_gone_since_is_infrastructure(tmp_path: Path) -> None:
    script = tmp_path / "agent"
    script.write_text("#!/bin/sh\necho '\"hi\"'\n")
    script.chmod(0o755)
    agent = ProcessAgent(str(script))
    assert agent.answer(CALL).output == "hi"
    script.unlink()
    with pytest.raises(InfrastructureError, match="could not be started"):
        agent.answer(CALL)


@pytest.mark.parametrize(
    ("written", "message"),
    [(b"just text", "no answer in JSON.*just text"), (b'{"answer": 1}', "object with 'output'")],
)
def test_what_is_no_answer_is_the_agents_error(written: bytes, message: str) -> None:
    with pytest.raises(AgentAnswerError, match=message):
        ask(says(written))


@pytest.mark.parametrize("row", [*kinds("json_number"), *kinds("json_depth")])
def test_numbers_and_nesting_that_cannot_be_held_are_the_agents_error(row: str, tmp_path: Path) -> None:
    (tmp_path / "answer").write_text(f'{{"output": {payload(row)}}}')
    with pytest.raises(AgentAnswerError, match="no answer in JSON"):
        ProcessAgent(f"cat {shlex.quote(str(tmp_path / 'answer'))}").answer(CALL)


@pytest.mark.parametrize("row", ["V038", "V039", "V040"])
def test_bytes_that_are_no_utf8_are_replaced(row: str) -> None:
    output = str(ask(says(b'"%s"' % payload(row).replace(b"\0", b""))).output)
    assert "\ufffd" in output


def test_nothing_written_is_nothing_answered() -> None:
    with pytest.raises(EmptyAnswer):
        ask("")


def test_a_failing_command_shows_its_last_lines() -> None:
    with pytest.raises(AgentAnswerError, match=r"ended with status 1; it wrote:\n(.*\n)*KeyError: 'order'") as caught:
        ask("import sys\nfor n in range(5000): print('line', n, file=sys.stderr)\n{}['order']")
    assert len(str(caught.value)) < 1000


def test_the_exit_status_is_kept() -> None:
    with pytest.raises(AgentAnswerError, match="ended with status 3; it wrote nothing"):
        ask(payload("V084"))


def test_a_command_that_a_signal_ended_says_which() -> None:
    with pytest.raises(AgentAnswerError, match=r"was ended by signal 9 \("):
        ask("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")


def test_output_over_the_limit_ends_the_command() -> None:
    begun = time.monotonic()
    with pytest.raises(AgentAnswerError, match="more than 8 MiB"):
        ask("import sys\nwhile True: sys.stdout.write('A' * 65536)", timeout=30)
    assert time.monotonic() - begun < 10


def test_a_long_answer_under_the_limit_is_whole() -> None:
    assert ask("print('\"' + 'A' * 5_000_000 + '\"')").output == payload("V035")


def test_complaints_without_end_do_not_block_the_answer() -> None:
    assert ask("import sys; sys.stderr.write('x' * 5_000_000); print('\"done\"')").output == "done"


@pytest.mark.parametrize("source", ["print('\"done\"')", "import os; os.close(0); print('\"done\"')"])
def test_a_command_need_not_read_a_long_question(source: str) -> None:
    assert ask(source, Call(case=Case(id="a", input="x" * 1_000_000))).output == "done"


def test_a_long_question_arrives_whole() -> None:
    asked = Call(case=Case(id="a", input="x" * 1_000_000))
    assert (
        ask("import json, sys; print(json.dumps(str(len(json.load(sys.stdin)['input']))))", asked).output == "1000000"
    )


def test_a_command_that_hangs_is_ended_at_the_time_limit() -> None:
    begun = time.monotonic()
    with pytest.raises(TimeoutError, match=r"did not answer within 0\.3 s"):
        ask(payload("V083"), timeout=0.3)
    assert time.monotonic() - begun < 2


def test_a_command_that_will_not_end_is_killed(tmp_path: Path) -> None:
    begun = time.monotonic()
    source = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{HANG}".replace(
        "sys.argv[1]", repr(str(tmp_path / "pid"))
    )
    with pytest.raises(TimeoutError):
        ask(source, timeout=1.0)
    assert time.monotonic() - begun < 5
    assert ends_soon(pid_in(tmp_path / "pid"))


def noted_in(note: Path) -> str:
    """The statement that writes down the process's id."""
    return f"open({str(note)!r}, 'w').write(f'{{os.getpid()}}\\n')"


def forks(parent: str, child: str) -> str:
    return f"import os, sys, time\nif os.fork():\n {parent}\nelse:\n {child}\n"


def test_a_grandchild_that_holds_the_output_does_not_hold_the_answer(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    begun = time.monotonic()
    told = ask(forks("print('\"done\"')", f"{noted_in(note)}; time.sleep(60)"))
    assert told.output == "done"
    assert time.monotonic() - begun < 3
    assert ends_soon(pid_in(note))


ESCAPES = """import os, signal, sys, time
if not os.fork():
    os.setsid()
    if not os.fork():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        {noted}
        {shut}
        time.sleep(60)
    os._exit(0)
while not os.path.exists({note!r}): time.sleep(0.01)
{parent}
"""


def escapes(note: Path, parent: str, shut: str = "[os.close(n) for n in (0, 1, 2)]") -> str:
    return ESCAPES.format(noted=noted_in(note), note=str(note), parent=parent, shut=shut)


@pytest.mark.parametrize("shut", ["pass", "[os.close(n) for n in (0, 1, 2)]"], ids=["with-pipes", "without"])
def test_a_grandchild_that_left_the_session_neither_holds_the_answer_nor_outlives_it(tmp_path: Path, shut: str) -> None:
    begun = time.monotonic()
    assert ask(escapes(tmp_path / "pid", "print('\"done\"')", shut)).output == "done"
    assert time.monotonic() - begun < 3
    assert not is_alive(pid_in(tmp_path / "pid"))


@pytest.mark.parametrize(
    ("parent", "limit", "kind", "said"),
    [
        ("time.sleep(60)", 1.0, TimeoutError, "did not answer within 1 s"),
        (
            "os.kill(os.getppid(), signal.SIGKILL); time.sleep(60)",
            20.0,
            AgentAnswerError,
            "the process that watches it",
        ),
    ],
    ids=["hangs", "ends-its-parent"],
)
def test_a_command_leaves_nothing_wherever_it_went(
    tmp_path: Path, parent: str, limit: float, kind: type[Exception], said: str
) -> None:
    begun = time.monotonic()
    with pytest.raises(kind, match=said):
        ask(escapes(tmp_path / "pid", parent), timeout=limit)
    assert time.monotonic() - begun < 1.0 + 2 + 1  # a busy machine may be late by one
    assert not is_alive(pid_in(tmp_path / "pid"))


def test_what_a_grandchild_writes_at_once_belongs_to_the_answer() -> None:
    assert ask(forks("os._exit(0)", "time.sleep(0.2); print('\"late\"', flush=True); os._exit(0)")).output == "late"


def test_a_grandchild_without_the_pipes_is_ended_with_its_parent(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    child = f"[os.close(n) for n in (0, 1, 2)]; {noted_in(note)}; time.sleep(60)"
    assert ask(forks("time.sleep(0.3); print('\"done\"')", child)).output == "done"
    assert ends_soon(pid_in(note))


def test_no_process_outlives_the_agent(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    command = shlex.join([sys.executable, "-S", "-E", "-c", HANG, str(note)])
    source = (
        "import threading, sys\n"
        "from pytest_agenteval.agents import connect\nfrom pytest_agenteval.contracts import Call\n"
        "from pytest_agenteval.model.case import Case\n"
        f"agent = connect('cmd:' + {command!r})\n"
        "call = Call(case=Case(id='a', input='x'))\n"
        "threading.Thread(target=agent.answer, args=[call], daemon=True).start()\n"
        f"import os, time\nwhile not os.path.exists({str(note)!r}): time.sleep(.01)\n"
        "time.sleep(.2)\n"
    )
    status = os.spawnve(
        os.P_WAIT,
        sys.executable,
        [sys.executable, "-c", source],
        {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert status == 0
    assert ends_soon(pid_in(note))


def test_many_commands_run_at_once() -> None:
    agent = agent_of("import time; time.sleep(0.3); print('\"done\"')")
    answers: list[object] = []
    threads = [threading.Thread(target=lambda: answers.append(agent.answer(CALL).output)) for _ in range(8)]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["done"] * 8
    assert time.monotonic() - begun < 8 * 0.3 + 0.5


def test_a_call_leaves_no_pipe_open() -> None:
    agent = agent_of("print('\"done\"')")
    agent.answer(CALL)
    before = len(list(Path("/dev/fd").iterdir()))
    for _ in range(3):
        agent.answer(CALL)
    assert len(list(Path("/dev/fd").iterdir())) == before
