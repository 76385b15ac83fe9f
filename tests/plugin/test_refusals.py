"""What cannot be an agent test is refused, and the message says where."""

from __future__ import annotations

import pytest

from tests.plugin.sessions import Project


@pytest.mark.parametrize("name", ["trial", "case"])
def test_a_users_fixture_of_our_name_is_refused_with_both_places(project: Project, name: str) -> None:
    project.test(f"""
        @pytest.fixture
        def {name}(): return 1

        @agent_cases(Case(id="a", input="x"))
        def test_refund(trial, case): pass
    """)
    session = project.run()
    assert session.code == 4
    assert f"suites/refunds/test_refunds.py:7: your fixture '{name}' at " in session.text.replace("\n", "")
    assert "test_refunds.py:4 hides" in session.text.replace("\n", "")


@pytest.mark.parametrize("names", ["'case, other'", "['case', 'other']", "('trial', 'other')"])
def test_a_users_parameter_of_our_name_is_refused(project: Project, names: str) -> None:
    project.test(f"""
        @pytest.mark.parametrize({names}, [(1, 2)])
        @agent_cases(Case(id="a", input="x"))
        def test_refund(trial, case, other): pass
    """)
    session = project.run()
    assert session.code == 4
    assert "of @pytest.mark.parametrize hides the fixture of @agent_cases" in session.text


def test_a_method_of_unittest_is_refused(project: Project) -> None:
    project.test("""
        import unittest
        class TestRefund(unittest.TestCase):
            @agent_cases(Case(id="a", input="x"))
            def test_it(self): pass
    """)
    session = project.run()
    assert session.code == 4
    assert "test_refunds.py:6: @agent_cases cannot decorate a method of unittest.TestCase" in session.text


def test_a_class_is_refused(project: Project) -> None:
    project.test("""
        @agent_cases(Case(id="a", input="x"))
        class TestRefund:
            def test_it(self, trial): pass
    """)
    session = project.run()
    assert session.code == 2
    assert "not the class TestRefund" in session.text


def test_the_bare_marker_is_refused(project: Project) -> None:
    project.test("@pytest.mark.agent_cases\ndef test_refund(): pass")
    session = project.run()
    assert session.code == 4
    assert "use the decorator @agent_cases" in session.text


def test_no_case_at_all_is_refused(project: Project) -> None:
    project.test("@agent_cases()\ndef test_refund(trial): pass")
    session = project.run()
    assert session.code == 4
    assert "has no case" in session.text


def test_a_case_file_in_two_places_is_refused_with_both(project: Project) -> None:
    for folder in ("suites/refunds", "suites/refunds/cases"):
        project.put(f"{folder}/more.jsonl", '{"id": "a", "input": "x"}\n')
    project.test("@agent_cases(load_cases('more.jsonl'))\ndef test_refund(trial): pass")
    session = project.run()
    assert session.code == 4
    assert "is ambiguous" in session.text


def test_two_agents_never_share_a_trial(both: Project) -> None:
    both.test("""
        @agent_cases(Case(id="a", input="x"))
        def test_one(trial): assert trial.output == "within 30 days"
    """)
    both.test(
        """
        @pytest.fixture
        def agent(): return lambda text: "another agent"

        @agent_cases(Case(id="a", input="x"))
        def test_two(trial): assert trial.output == "another agent"
    """,
        path="suites/refunds/test_other.py",
    )
    session = both.run()
    assert session.code == 4
    assert "share the trial of case 'a' in suite 'refunds', but their fixtures 'agent' differ" in session.text


def test_a_project_without_an_agent_is_told_so(project: Project) -> None:
    project.agent("")
    project.cases("x")
    session = project.run()
    assert session.code == 1
    assert "no agent: define the fixture 'agent' in a conftest.py" in session.text


def test_a_gate_table_of_a_misspelt_suite_is_refused_before_an_agent_is_asked(both: Project) -> None:
    both.gate("success = { floor = 0.5 }", suite="refnds")
    both.cases("x")
    session = both.run()
    assert (session.code, session.verdict["trials"]) == (4, 0)
    assert "refnds] is of no suite; did you mean 'refunds'?" in session.text
