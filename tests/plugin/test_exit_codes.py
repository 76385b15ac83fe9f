"""Each cause has its exit code, serially and under xdist, and verdict.json holds the same."""

from __future__ import annotations

import pytest

from tests.plugin.sessions import CONFTEST, PYPROJECT, Project

GOOD = [f"order {n}" for n in range(60)]


@pytest.fixture
def approved(project: Project) -> Project:
    """A suite of 60 cases that passes its gate."""
    return with_baseline(project)


@pytest.fixture
def approved_both(both: Project) -> Project:
    """The same, in one process and in several."""
    return with_baseline(both)


def with_baseline(project: Project) -> Project:
    project.gate("success = { floor = 0.8, margin = 0.06 }")
    project.cases(*GOOD)
    project.run(workers=0)
    assert project.approve() == 0
    return project


def test_a_pass_is_0(approved_both: Project) -> None:
    session = approved_both.run()
    assert (session.code, session.verdict["exit_code"], session.causes) == (0, 0, [])


def test_a_failing_assert_is_1(approved_both: Project) -> None:
    approved_both.cases(*GOOD, body="assert case.id != 'c7'")
    session = approved_both.run()
    assert (session.code, session.verdict["exit_code"], session.causes) == (1, 1, [1])


def test_an_ordinary_test_beside_agent_tests_keeps_its_outcome(approved_both: Project) -> None:
    approved_both.put("test_plain.py", "def test_good(): pass\ndef test_bad(): assert 0\n")
    session = approved_both.run()
    assert session.code == 1
    assert session.verdicts["refunds/success"] == "pass"
    session.result.assert_outcomes(passed=60 + 1 + 2, failed=1)


def test_a_collection_error_is_2(approved_both: Project) -> None:
    approved_both.put("test_broken.py", "import nothing_of_that_name\n")
    session = approved_both.run()
    assert (session.code, session.verdict["exit_code"], session.verdicts) == (2, 2, {})


def test_an_unknown_setting_is_4_and_names_the_near_match(project: Project) -> None:
    project.put("pyproject.toml", PYPROJECT + "agent_timout = 3\n")
    project.cases("hello")
    session = project.run()
    assert session.code == 4
    assert "did you mean 'agent_timeout'?" in session.text


def test_a_bad_case_file_is_4_and_named_with_its_line(both: Project) -> None:
    both.put("suites/refunds/cases/more.jsonl", '{"id": "a", "input": "x"}\n{"id": "b", "inptu": "x"}\n')
    both.test("@agent_cases(load_cases('more.jsonl'))\ndef test_refund(trial): pass")
    session = both.run()
    assert (session.code, session.verdict["exit_code"]) == (4, 4)
    assert "more.jsonl:2" in session.text
    assert "'inptu'" in session.text


def test_twin_ids_are_4_with_both_places(project: Project) -> None:
    project.put("suites/refunds/cases/more.jsonl", '{"id": "Twin", "input": "x"}\n')
    project.test(
        "@agent_cases(load_cases('more.jsonl'))\ndef test_one(trial): pass\n"
        "@agent_cases(Case(id='twin', input='y'))\ndef test_two(trial): pass\n"
    )
    session = project.run()
    assert session.code == 4
    assert "more.jsonl:1" in session.text
    assert "test_refunds.py:" in session.text


def test_a_corrupt_baseline_is_4(approved: Project) -> None:
    approved.put("baselines/refunds/success.json", '{"schema": "agenteval-baseline/1", "value": NaN}')
    session = approved.run()
    assert (session.code, session.verdict["exit_code"]) == (4, 4)
    assert "success.json" in session.text


def test_a_gating_metric_that_nothing_measured_is_4(project: Project) -> None:
    project.gate("tool_calls = { floor = 0.5 }")
    project.cases("hello")
    session = project.run()
    assert session.code == 4
    assert "refunds/tool_calls gates, but no test of this run measured it" in session.text


def test_an_unknown_metric_is_4_and_names_the_near_match(project: Project) -> None:
    project.cases("hello", metrics="['succes']")
    session = project.run()
    assert session.code == 4
    assert "did you mean 'success'?" in session.text


def test_zero_repeats_are_4(project: Project) -> None:
    project.cases("hello")
    assert project.run("--agent-eval-repeats", "0").code == 4


def test_nothing_collected_is_5(both: Project) -> None:
    session = both.run()
    assert (session.code, session.verdict["exit_code"]) == (5, 5)


def test_ordinary_tests_alone_are_not_green(project: Project) -> None:
    project.put("test_plain.py", "def test_good(): pass\n")
    session = project.run()
    assert (session.code, session.causes) == (5, [5])


def test_a_suite_in_which_nothing_gates_is_10(project: Project) -> None:
    project.cases("hello")
    session = project.run()
    assert (session.code, session.verdicts["refunds/*"]) == (10, "no_baseline")


def test_a_regression_is_10(approved_both: Project) -> None:
    approved_both.agent("import pytest\n@pytest.fixture\ndef agent():\n    return lambda text: 'no'\n")
    session = approved_both.run()
    assert session.code == 10
    assert session.causes == [10]


def test_an_unapproved_loosening_is_10(approved: Project) -> None:
    approved.gate("success = { floor = 0.5, margin = 0.06 }")
    session = approved.run()
    assert (session.code, session.verdicts["refunds/success"]) == (10, "loosened")


def test_a_part_of_a_suite_is_11_and_not_judged(approved_both: Project) -> None:
    session = approved_both.run("-k", "c1")
    assert (session.code, session.verdict["exit_code"]) == (11, 11)
    assert set(session.verdicts.values()) == {"inconclusive:partial"}


def test_a_part_that_is_meant_follows_the_asserts(approved: Project) -> None:
    assert approved.run("-k", "c1", "--agent-eval-partial").code == 0
    approved.cases(*GOOD, body="assert 0")
    assert approved.run("-k", "c1", "--agent-eval-partial").code == 1


def test_missing_scores_are_11(approved: Project) -> None:
    approved.cases("down", "down", "down", "down", *GOOD[4:])
    approved.setting("retries = 0")
    session = approved.run()
    assert (session.code, session.verdicts["refunds/success"]) == (11, "inconclusive:missing")


def test_a_verdict_that_cannot_be_written_is_12(approved: Project) -> None:
    (approved.root / ".agenteval" / "verdict.json").unlink()
    (approved.root / ".agenteval" / "verdict.json").mkdir()
    session = approved.run()
    assert session.code == 12
    assert "verdict.json" in session.text


def test_a_history_that_cannot_be_written_is_12_before_any_call_and_leaves_no_earlier_verdict(
    approved: Project,
) -> None:
    for path in sorted((approved.root / "history").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    (approved.root / "history").rmdir()
    approved.put("history", "a file where a folder should be")
    approved.agent("import os, pytest\n@pytest.fixture\ndef agent():\n    return lambda text: os.mkdir('called')\n")
    session = approved.run()
    assert session.code == 12
    assert "history is no folder" in session.text
    assert not (approved.root / "called").exists()
    assert not (approved.root / ".agenteval" / "verdict.json").exists()


def test_a_journal_that_cannot_be_written_is_12(both: Project) -> None:
    both.cases("hello")
    both.put(".agenteval/runs", "a file where a folder should be")
    session = both.run_apart()
    assert session.code == 12
    assert "could not be made" in session.text


def test_of_several_causes_the_gravest_stands_and_all_are_told(approved_both: Project) -> None:
    approved_both.cases(*GOOD, body="assert case.id != 'c7'")
    approved_both.agent("import pytest\n@pytest.fixture\ndef agent():\n    return lambda text: 'no'\n")
    session = approved_both.run()
    assert (session.code, session.causes) == (10, [10, 1])


def test_a_code_that_is_set_at_the_very_end_is_in_the_verdict_too(approved_both: Project) -> None:
    """As --max-warnings does, which pytest 9 has."""
    approved_both.agent(f"""{CONFTEST}
@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session):
    yield
    if not hasattr(session.config, "workerinput"):
        session.exitstatus = 6
""")
    session = approved_both.run()
    assert (session.code, session.verdict["exit_code"], session.causes) == (6, 6, [6])


def test_the_verdict_of_an_earlier_run_does_not_outlive_a_killed_session(approved: Project) -> None:
    assert approved.run().code == 0
    approved.agent("import os, pytest\n@pytest.fixture\ndef agent():\n    return lambda text: os._exit(0)\n")
    approved.run_apart(workers=0)
    assert not (approved.root / ".agenteval" / "verdict.json").exists()


def test_an_exception_while_judging_is_12_and_told(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from pytest_agenteval.plugin import controller

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    project.cases("hello")
    monkeypatch.setattr(controller, "judge_run", broken)
    session = project.run()
    assert (session.code, session.verdict["exit_code"]) == (12, 12)
    assert "the run could not be judged: ZeroDivisionError" in session.text


def test_an_internal_error_is_3_and_nothing_is_judged(approved_both: Project) -> None:
    approved_both.agent(f"""{CONFTEST}
def pytest_runtest_logreport(report):
    raise ZeroDivisionError
""")
    session = approved_both.run_apart()
    assert session.code == 3
    assert (session.verdict["exit_code"], session.verdicts) == (3, {})


def test_ctrl_c_is_2_and_nothing_is_judged(approved_both: Project) -> None:
    approved_both.cases(*GOOD, body="if case.id == 'c7': raise KeyboardInterrupt")
    session = approved_both.run_apart()
    assert (session.code, session.verdict["exit_code"], session.verdicts) == (2, 2, {})


@pytest.mark.parametrize("code", [13, 14])
def test_a_code_of_another_part_stands_and_is_told(approved: Project, code: int) -> None:
    """Readiness and reviews that are due have no part in a session yet; a plug-in may bring their codes."""
    approved.agent(f"""{CONFTEST}
@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session):
    yield
    if not hasattr(session.config, "workerinput"):
        session.exitstatus = {code}
""")
    session = approved.run()
    assert (session.code, session.verdict["exit_code"], session.causes) == (code, code, [code])


def test_a_failed_assert_stands_though_a_fixture_ends_the_session_with_0(approved_both: Project) -> None:
    approved_both.cases(*GOOD, body="assert case.id != 'c7'")
    leaving = "    yield shop\n    pytest.exit('done', returncode=0)\n"
    approved_both.agent(CONFTEST.replace("    return shop\n", leaving))
    session = approved_both.run_apart()
    code = 3 if approved_both.workers else 1  # to xdist a worker that exits so has an internal error
    assert (session.code, session.verdict["exit_code"], session.causes) == (code, code, [code])


def test_a_run_is_named_as_it_is_asked_and_only_once(approved_both: Project) -> None:
    session = approved_both.run("--agent-eval-run-id", "ci-7.1")
    assert (session.code, session.verdict["run"], session.run["run"]["id"]) == (0, "ci-7.1", "ci-7.1")
    again = approved_both.run("--agent-eval-run-id", "ci-7.1")
    assert (again.code, again.verdict["trials"]) == (4, 0)  # told before any agent was called
    assert "--agent-eval-run-id ci-7.1: the history has this run; an id is used once. Name another" in again.text


@pytest.mark.parametrize("name", ["", "../ci", "a b", "é", "x" * 81])
def test_an_id_that_no_file_can_be_named_by_is_4(project: Project, name: str) -> None:
    session = project.run_apart(f"--agent-eval-run-id={name}")
    assert session.code == 4
    assert "is no id" in session.text
