"""What a session shows: figures, verdicts as reports of their own, and nothing that an agent's text can move."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.plugin.sessions import Project, Session

ROWS: list[dict[str, Any]] = [
    json.loads(line) for line in (Path(__file__).parent / "data" / "adversarial.jsonl").read_text("utf-8").splitlines()
]

FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")

HOSTILE = """
import json, pytest
from pathlib import Path

PAYLOADS = json.loads((Path(__file__).parent / "payloads.json").read_text())

def shop(text):
    payload = PAYLOADS[text.removeprefix("raise ")]
    print(payload.encode("utf-8", "replace").decode())
    if text.startswith("raise "):
        raise ValueError(payload)
    return payload

@pytest.fixture(scope="session")
def agent():
    return shop
"""


def payload(row: dict[str, Any]) -> str:
    kept = row["payload"]
    if row["enc"] == "b64":
        return base64.b64decode(kept).decode("utf-8", "replace")
    if row["enc"] == "recipe":
        return str(kept["prefix"] + kept["unit"] * min(kept["n"], 10_000) + kept["suffix"])
    return str(kept)


@pytest.fixture(scope="module")
def runs() -> dict[int, Session]:
    """By the number of workers the one hostile run that several tests look at."""
    return {}


@pytest.fixture
def hostile(both: Project, runs: dict[int, Session]) -> Session:
    if both.workers not in runs:
        put_payloads(both)
        runs[both.workers] = both.run("-rA", "-v", "--color=no", "--junitxml=junit.xml")
    return runs[both.workers]


def put_payloads(project: Project) -> None:
    """Each payload as an answer that a body fails on, that a metric quotes, and as an agent's error."""
    project.agent(HOSTILE)
    project.put("payloads.json", json.dumps({row["id"]: payload(row) for row in ROWS}))
    project.gate("quotes = { floor = 0.5 }")
    names = [row["id"] for row in ROWS]
    project.test(f"""
        from pytest_agenteval import Score, metric
        NAMES = {names!r}

        @metric(better="higher", unit="fraction")
        def quotes(trial):
            return Score(metric="quotes", value=None, reason=str(trial.output))

        @agent_cases([Case(id=name, input=name) for name in NAMES], metrics=[quotes])
        def test_quoted(trial):
            print(trial.output)
            pytest.fail(trial.output, pytrace=False)

        @agent_cases([Case(id=f"e{{name}}", input=f"raise {{name}}") for name in NAMES], metrics=[quotes])
        def test_erring(trial): pass

        @agent_cases([Case(id=f"s{{name}}", input=name) for name in NAMES], metrics=[quotes])
        def test_skipping(trial): pytest.skip(trial.output)
    """)


def test_no_byte_of_an_agent_moves_a_terminal_or_breaks_the_junit_file(hostile: Session) -> None:
    assert hostile.code in {1, 10, 11}
    assert not FORBIDDEN.findall(hostile.result.stdout.str().replace("\n", ""))
    junit = (hostile.root / "junit.xml").read_text("utf-8")
    ET.fromstring(junit)
    assert not FORBIDDEN.findall(junit)


def test_no_line_of_an_agent_is_a_command_for_a_ci(hostile: Session) -> None:
    lines = [line for line in hostile.result.outlines if line.lstrip().startswith(("::", "##"))]
    assert lines == []


def test_every_file_of_a_hostile_run_is_valid_utf_8(hostile: Session) -> None:
    for path in hostile.root.rglob("*"):
        if path.is_file() and path.suffix in {".json", ".jsonl", ".xml"}:
            path.read_bytes().decode("utf-8")


def test_progress_is_never_above_100_per_cent(both: Project) -> None:
    both.cases(*"abcdefg", repeats=3)
    found = [int(text) for text in re.findall(r"\[ *(\d+)%\]", both.run("-v").text)]
    assert found
    assert max(found) <= 100


def test_figures_have_four_decimals(project: Project) -> None:
    project.cases("x", "y", "wrong")
    project.run().result.stdout.re_match_lines([r"  success +3 +0\.6667 +\[0\.\d{4}, 0\.\d{4}\]"])


def test_a_run_without_settings_prints_estimates_and_intervals(project: Project) -> None:
    (project.root / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    project.cases("x", "y", "wrong")
    session = project.run()
    assert session.estimate("success")["n"] == 3
    session.result.stdout.re_match_lines([r"  success +3 +0\.6667 +\[0\.\d{4}, 0\.\d{4}\]"])


def test_verdicts_are_reports_of_their_own_in_the_terminal(project: Project) -> None:
    project.gate("success = { margin = 0.1 }")
    project.cases("x", "y")
    project.run("-rA").result.stdout.fnmatch_lines(
        [
            "PASSED baselines/refunds/error_rate.json::gate",
            "FAILED baselines/refunds/success.json::gate - no_baseline*",
        ],
    )


def test_verdicts_are_cases_of_their_own_in_junit(both: Project) -> None:
    both.gate("success = { margin = 0.1 }")
    both.cases("x", "y")
    both.run("--junitxml=junit.xml")
    [suite] = ET.parse(both.root / "junit.xml").iter("testsuite")
    cases = {case.get("classname", "") + "." + case.get("name", ""): case for case in suite.iter("testcase")}
    gates = {name: case for name, case in cases.items() if name.endswith(".gate")}
    assert (suite.get("tests"), suite.get("failures"), len(cases), len(gates)) == ("4", "1", 4, 2)
    [failed] = [case for case in gates.values() if case.find("failure") is not None]
    assert "no_baseline" in (failed.find("failure").get("message") or "")  # type: ignore[union-attr]  # just picked


def test_what_failed_last_is_never_a_verdict(project: Project) -> None:
    project.gate("success = { margin = 0.1 }")
    project.cases("x", "y")
    project.run()
    lastfailed = project.root / ".pytest_cache/v/cache/lastfailed"
    assert not lastfailed.exists() or json.loads(lastfailed.read_text()) == {}


def test_a_case_that_does_not_succeed_is_told_with_what_was_due_and_what_came(project: Project) -> None:
    project.cases("x", "wrong")
    session = project.run()
    [line] = [line for line in session.text.splitlines() if "no success on" in line]
    assert line.startswith("  no success on c1: due ")
    assert 'answered "' in line


def test_an_agent_that_raised_is_told_with_the_line_it_raised_at(both: Project) -> None:
    source = "import pytest\n\n\n@pytest.fixture\ndef agent():\n    def desk(text):\n        raise KeyError(text)\n"
    both.agent(source + "    return desk\n")
    both.cases("x")
    assert "(conftest.py:7 in desk)" in both.run().text


def test_the_gate_has_a_line_of_its_own_below_the_items(both: Project) -> None:
    both.cases("x", "y")
    lines = both.run().text.splitlines()
    place = next(place for place, line in enumerate(lines) if line.startswith("gate ") and set(line[5:]) <= set(".sF"))
    assert "100%" in lines[place - 1]
