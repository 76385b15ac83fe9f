"""A run of a part of a suite is recorded as partial, however the part was chosen; a whole one never is."""

from __future__ import annotations

import pytest

from tests.plugin.sessions import Project


@pytest.fixture
def suite(project: Project) -> Project:
    return with_three_cases(project)


def with_three_cases(project: Project) -> Project:
    project.gate("success = { margin = 0.06 }")
    project.cases("x", "y", "wrong", body="assert case.id != 'c2'")
    project.put(
        "suites/refunds/test_more.py",
        "import pytest\nfrom pytest_agenteval import Case, agent_cases\n"
        "@pytest.mark.slow\n@agent_cases(Case(id='more', input='z'))\ndef test_more(trial): pass\n",
    )
    return project


PARTS = {
    "keyword": ("-k", "c1"),
    "mark": ("-m", "not slow"),
    "node-id": ("suites/refunds/test_refunds.py::test_refund[c1]",),
    "one-file": ("suites/refunds/test_more.py",),
    "ignored-file": ("--ignore", "suites/refunds/test_more.py"),
    "deselected": ("--deselect", "suites/refunds/test_more.py"),
}


@pytest.mark.parametrize(
    ("part", "workers"), [*((part, 0) for part in PARTS), ("keyword", 2), ("node-id", 2), ("ignored-file", 2)]
)
def test_a_chosen_part_is_partial(suite: Project, part: str, workers: int) -> None:
    session = suite.run(*PARTS[part], workers=workers)
    assert session.verdict["partial"] == ["refunds"]
    assert set(session.verdicts.values()) == {"inconclusive:partial"}


@pytest.mark.parametrize(("stop", "workers"), [("-x", 0), ("--maxfail=1", 0), ("-x", 2)])
def test_a_run_that_stops_at_a_failure_is_1_and_what_it_left_out_partial(
    project: Project, stop: str, workers: int
) -> None:
    slow = "import time; time.sleep(0 if case.id == 'c0' else 0.05); assert case.id != 'c0'"
    project.cases(*(f"order {n}" for n in range(60)), body=slow)
    session = project.run(stop, workers=workers)
    assert len(session.trials) < 20  # a worker was dealt half of them
    assert (session.code, session.verdict["exit_code"]) == (1, 1)
    assert session.verdict["partial"] == ["refunds"]
    assert set(session.verdicts.values()) == {"inconclusive:partial"}


def test_a_file_that_cannot_be_collected_makes_its_suite_partial_where_pytest_goes_on(both: Project) -> None:
    with_three_cases(both).put("suites/refunds/test_more.py", "import nothing_of_that_name\n")
    session = both.run("--continue-on-collection-errors")
    assert session.verdict["partial"] == ["refunds"]
    assert 1 in session.causes


def test_what_failed_last_is_partial(suite: Project) -> None:
    suite.run()
    session = suite.run("--lf")
    assert len(session.trials) == 1
    assert session.verdict["partial"] == ["refunds"]


def test_a_whole_suite_is_not_partial(suite: Project) -> None:
    assert suite.run().verdict["partial"] == []


def test_a_folder_named_on_the_command_line_is_whole(suite: Project) -> None:
    assert suite.run("suites/refunds").verdict["partial"] == []


def test_a_test_file_without_tests_makes_no_suite_partial(suite: Project) -> None:
    suite.put("suites/refunds/test_nothing_yet.py", "ANSWERS = 42\n")
    suite.put("suites/refunds/.hidden/test_copy.py", "def test_it(): pass\n")
    assert suite.run().verdict["partial"] == []


def test_stepwise_is_partial(project: Project) -> None:
    project.cases("x", "y", "z", body="assert case.id != 'c1'")
    project.run("--sw")
    session = project.run("--sw")
    assert session.verdict["partial"] == ["refunds"]


def test_a_skipped_item_makes_its_suite_partial(both: Project) -> None:
    both.test("""
        @agent_cases(Case(id="a", input="x"))
        def test_one(trial): pass

        @pytest.mark.skip
        @agent_cases(Case(id="b", input="x"))
        def test_two(trial): pass
    """)
    assert both.run().verdict["partial"] == ["refunds"]


def test_a_partial_run_can_be_no_baseline(suite: Project) -> None:
    assert "  → Run the whole suite, or say --agent-eval-partial\n" in suite.run("-k", "c1").text
    assert suite.approve() == 4
    assert not (suite.root / "baselines").exists()


def test_a_part_that_is_meant_fails_nothing(suite: Project) -> None:
    session = suite.run("--agent-eval-partial", "-k", "c1")
    assert session.code == 0
    assert "  → Run the whole suite\n" in session.text
    assert "FAILED" not in session.text
