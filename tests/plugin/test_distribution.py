"""Two workers give what one process gives, byte for byte but for what is listed here."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.plugin.sessions import Project, Session, records

CLOCK_AND_IDS = {
    # of a run, of verdict.json, of a trial: who it is and when it was
    "id", "run", "started", "ended", "at", "seconds",
    # made of all scores, those of latency_seconds among them
    "scores_digest", "digest",
}  # fmt: skip
"""Keys whose values differ between any two runs, serial ones too."""

CLOCK_METRIC = "latency_seconds"
"""The one metric whose scores and estimates are clock readings."""


def comparable(value: Any) -> Any:  # any JSON value
    """The value without clock readings and ids of runs; ids of cases stay."""
    if isinstance(value, list):
        return [comparable(one) for one in value]
    if not isinstance(value, dict):
        return value
    timed = value.get("metric") == CLOCK_METRIC
    return {
        key: comparable(one)
        for key, one in value.items()
        if not (key in CLOCK_AND_IDS and "input" not in value) and not (timed and key in {"value", "low", "high"})
    }


def canonical(value: Any) -> bytes:  # any JSON value
    return json.dumps(comparable(value), sort_keys=True).encode()


@pytest.fixture
def sessions(project: Project) -> tuple[Session, Session, bytes, bytes, list[str]]:
    """A serial and a distributed run of the same suite, with failures of each kind, and their baselines."""
    project.gate("success = { floor = 0.5, margin = 0.05 }\ntool_calls = { margin = 0.05 }")
    project.setting("retries = 0")
    good = [f"order {n}" for n in range(20)]  # one provider error among them is no gap that forbids a baseline
    project.cases("crash", "down", "wrong", *good, metrics="['success', 'tool_calls']", repeats=2,
                  body="assert case.id != 'c5'")  # fmt: skip
    project.test(
        """
        @agent_cases(Case(id="c7", input="order 4", expect={"contains": ["30 days"]}), metrics=["contains"])
        def test_shared(trial): pass
    """,
        path="suites/refunds/test_shared.py",
    )
    kept = []
    for workers in (0, 2):
        session = project.run(workers=workers)
        kept.append((session, canonical(records(project.root)), canonical(session.verdict)))
    baselines = []
    for run in (json.loads(line)["run"]["id"] for line in _first_lines(project)):
        project.approve("refunds", "--run", run, "--metric", "success")
        file = project.root / "baselines/refunds/success.json"
        baselines.append(file.read_text())
        file.unlink()  # the second one has no ancestor either
    return kept, baselines  # type: ignore[return-value]  # unpacked by the tests


def _first_lines(project: Project) -> list[str]:
    import gzip

    files = sorted(project.root.glob("history/*/*.jsonl.gz"), key=lambda path: path.stat().st_mtime_ns)
    return [gzip.decompress(file.read_bytes()).decode().splitlines()[0] for file in files]


def test_two_workers_leave_the_same_history_verdict_baseline_and_exit_code(sessions: Any) -> None:
    [(serial, history, verdict), (spread, spread_history, spread_verdict)], baselines = sessions
    assert spread.code == serial.code
    assert spread_history == history
    assert spread_verdict == verdict
    alone, distributed = (canonical(json.loads(text)) for text in baselines)
    assert distributed == alone


def test_two_workers_print_the_same_figures(sessions: Any) -> None:
    [(serial, *_), (spread, *_)], _ = sessions

    def figures(session: Session) -> list[str]:
        lines = session.result.outlines
        start = next(n for n, line in enumerate(lines) if "= agent evaluation =" in line)
        end = next(n for n, line in enumerate(lines) if line.startswith("gate: "))
        return [line for line in lines[start + 1 : end + 1] if CLOCK_METRIC not in line]

    assert len(figures(serial)) > 5
    assert figures(spread) == figures(serial)


def test_all_attempts_of_a_case_go_to_one_worker(project: Project) -> None:
    project.agent("""
        import os, pytest
        @pytest.fixture(scope="session")
        def agent():
            return lambda text: f"{os.environ['PYTEST_XDIST_WORKER']}"
    """)
    project.cases(*"abcdefgh", repeats=3)
    workers: dict[str, set[str]] = {}
    for trial in project.run(workers=2).trials:
        workers.setdefault(trial["case"]["id"], set()).add(trial["trajectory"]["output"])
    assert {len(found) for found in workers.values()} == {1}
    assert set.union(*workers.values()) == {"gw0", "gw1"}
