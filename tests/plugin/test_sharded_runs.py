"""One run as shards on several machines: merged, it is the whole, bit for bit but for clocks and ids."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pytest_agenteval.cli import main
from tests.plugin.sessions import Project, Session, records
from tests.plugin.test_adaptive_repeats import agent, calls, with_baseline
from tests.plugin.test_base import EXPECT_FAILURE, by_base, conftest, with_base
from tests.plugin.test_distribution import canonical

CONFTEST = """
import pytest
from pytest_agenteval import connect

@pytest.fixture(scope="session")
def agent():
    return connect("http://127.0.0.1:{port}/")
"""


class _Service(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["input"]
        answer = json.dumps({"output": asked.upper()}).encode()
        self.send_response(503 if "down" in asked else 200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    request_queue_size = 64  # all that are called at once may come before one is accepted


@pytest.fixture
def port() -> Iterator[int]:
    """An agent behind a URL, on loopback."""
    with _Server(("127.0.0.1", 0), _Service) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def shard(project: Project, text: str, *more: str, run: str = "ci", workers: int = 0) -> Session:
    return project.run("--agent-eval-shard", text, "--agent-eval-run-id", run, *more, workers=workers)


def merge(project: Project, *words: str) -> int:
    return main(["--root", str(project.root), "merge", *words])


def left_by(project: Project) -> tuple[bytes, bytes]:
    """The newest segment and the verdict, without clocks and ids."""
    verdict = json.loads((project.root / ".agenteval/verdict.json").read_text("utf-8"))
    return canonical(records(project.root)), canonical(verdict)


@pytest.fixture
def spread(project: Project, port: int) -> Project:
    """Two suites, one of them over HTTP, with failures of each kind; and what they are compared with."""
    project.gate("success = { floor = 0.5, margin = 0.05 }\ntool_calls = { margin = 0.05 }")
    project.setting("retries = 0")
    project.put("suites/mail/conftest.py", CONFTEST.format(port=port))
    project.test(
        """
        @agent_cases([Case(id=f"m{n}", input=text, expect={"contains": ["MAIL"]})
                      for n, text in enumerate(["down", "else", *(f"mail {n}" for n in range(20))])],
                     metrics=["success"])
        def test_mail(trial): pass
    """,
        path="suites/mail/test_mail.py",
    )
    good = [f"order {n}" for n in range(20)]
    project.cases("fine", "fine", "wrong", *good, metrics="['success', 'tool_calls']", repeats=2)
    project.run()
    assert project.approve("refunds", "--metric", "success") == 0
    project.cases("crash", "down", "wrong", *good, metrics="['success', 'tool_calls']", repeats=2,
                  body="assert case.id != 'c5'")  # fmt: skip
    project.test(
        """
        @agent_cases(Case(id="c7", input="order 4", expect={"contains": ["30 days"]}), metrics=["contains"])
        def test_shared(trial): pass
        def test_without_a_case(): pass
    """,
        path="suites/refunds/test_shared.py",
    )
    return project


def test_shards_are_the_whole_and_so_are_workers_and_any_concurrency(
    spread: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = spread.run()
    expected = left_by(spread)
    assert len(spread.run().trials) == 22 + 46
    for more, workers in ((("--agent-eval-concurrency", "1"), 0), ((), 2)):
        spread.run(*more, workers=workers)
        assert left_by(spread) == expected

    sessions = [shard(spread, f"{n}/3", workers=2 if n == 2 else 0) for n in (1, 2, 3)]
    assert [session.code for session in sessions] == [0, 1, 0]  # by asserts alone
    assert not (spread.root / ".agenteval/verdict.json").exists()
    told = sessions[2].text
    assert "shard 3 of 3: 15 of 45 cases, judged by pytest-agenteval merge\n" in told
    end = "gate: nothing judged; exit code 0; shard 3 of 3: its trials are judged by pytest-agenteval merge\n"
    assert end in told
    passed = [session.result.parseoutcomes()["passed"] for session in (whole, *sessions)]
    assert sum(passed[1:]) == passed[0] - 1  # a verdict of the whole
    capsys.readouterr()
    assert merge(spread, str(spread.root / ".agenteval")) == whole.code == 10
    assert left_by(spread) == expected
    printed = capsys.readouterr().out.splitlines()
    assert printed[2].endswith("; tests failed")
    figures = [line for line in whole.result.outlines if line.startswith(("  success", "  error_rate", "gate: "))]
    assert len(figures) >= 5
    assert not set(figures) - set(printed)
    assert main(["--root", str(spread.root), "verdict", "check", "--run-id", "ci"]) == 10
    assert main(["--root", str(spread.root), "verdict", "check", "--run-id", "other"]) == 12


def test_adaptive_repeats_come_to_the_same_verdict_in_shards(project: Project) -> None:
    with_baseline(project).agent(agent("n == 3 and attempt == 2"))
    whole = project.run()
    estimates, verdicts = canonical(whole.verdict["estimates"]), canonical(whole.verdict["verdicts"])
    [rounds] = whole.verdict["rounds"].values()
    (project.root / "calls.txt").unlink()
    for text in ("1/2", "2/2"):
        assert shard(project, text).code == 0
    made = calls(project)
    assert shard(project, "2/2").code == 0
    assert calls(project) == made  # a shard that is run again does not call again for what it has
    assert merge(project, str(project.root / ".agenteval")) == whole.code
    assert (canonical(whole.verdict["estimates"]), canonical(whole.verdict["verdicts"])) == (estimates, verdicts)
    [found] = whole.verdict["rounds"].values()
    assert found | {"saved": 0} == rounds | {"saved": 0}
    assert rounds["saved"] > found["saved"]  # a suite of which each shard has a part cannot stop in one of them


def test_a_budget_is_each_shard_s_own_and_what_was_not_called_is_told(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.cases("a", "b", "c", "d", "e")
    assert [shard(project, f"{n}/2", "--agent-eval-budget", "2-calls").code for n in (1, 2)] == [0, 0]
    capsys.readouterr()
    assert merge(project, str(project.root / ".agenteval")) == 10 + 1
    assert "  1 item was not called: the budget of 2 calls is spent\n" in capsys.readouterr().out


def test_a_base_judges_the_merged_run_as_it_judges_the_whole(project: Project) -> None:
    with_base(project)
    project.gate("success = { floor = 0.1 }")
    conftest(project, EXPECT_FAILURE)
    whole = by_base(project)
    expected = canonical(whole.verdict)
    guards = {one["guard"] for one in whole.verdict["loosenings"]}
    assert {"floor", "excused"} <= guards
    assert [shard(project, f"{n}/2").code for n in (1, 2)] == [0, 0]
    assert merge(project, str(project.root / ".agenteval"), "--base", "main") == whole.code == 10
    assert canonical(whole.verdict) == expected


def test_a_shard_without_a_case_is_green_and_a_run_without_one_is_not(project: Project) -> None:
    project.cases("a")
    assert [shard(project, f"{n}/2", "--agent-eval-record").code for n in (1, 2)] == [0, 0]
    assert not (project.root / "suites/refunds/recordings").exists()
    assert merge(project, str(project.root / ".agenteval"), "--gate", "release") == 10  # no metric gates
    assert list((project.root / "suites/refunds/recordings").glob("*.jsonl"))  # of the whole
    assert [shard(project, f"{n}/2", "-k", "nothing", run="none").code for n in (1, 2)] == [5, 5]
    assert merge(project, str(project.root / ".agenteval"), "--run-id", "none") == 11


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--agent-eval-shard", "1/2"], "name the run, for all parts, by --agent-eval-run-id ID"),
        (["--agent-eval-shard", "3/2", "--agent-eval-run-id", "x"], "'3/2' is no shard"),
        (
            ["--agent-eval-shard", "1/2", "--agent-eval-run-id", "x", "--agent-eval-base", "main"],
            "Give the base to pytest-agenteval merge --base",
        ),
    ],
)
def test_what_makes_no_shard_is_refused(project: Project, words: list[str], told: str) -> None:
    project.cases("a")
    session = project.run(*words)
    assert session.code == 4
    assert told in session.text
