"""A test item is one trial: its id, its order, and what pytest's own selections make of it."""

from __future__ import annotations

from tests.plugin.sessions import Project, Session


def ids(session: Session) -> list[str]:
    """Test names in the order in which they were collected."""
    return [line.rpartition("::")[2] for line in session.result.outlines if "::" in line]


def test_an_item_has_the_id_of_its_case(project: Project) -> None:
    project.cases("x", "y")
    assert ids(project.run("--collect-only", "-q")) == ["test_refund[c0]", "test_refund[c1]"]


def test_repeats_are_numbered_and_run_round_by_round(project: Project) -> None:
    project.cases("x", "y", repeats=2)
    found = ids(project.run("--collect-only", "-q"))
    assert found == [f"test_refund[{case}-r{n}]" for n in (1, 2) for case in ("c0", "c1")]


def test_the_command_line_may_set_the_repeats(project: Project) -> None:
    project.cases("x", repeats=2)
    assert len(ids(project.run("--collect-only", "-q", "--agent-eval-repeats", "3"))) == 3


def test_a_users_own_parameters_follow_the_case(project: Project) -> None:
    project.test("""
        @pytest.mark.parametrize("tone", ["kind", "curt"])
        @agent_cases(Case(id="a", input="x"), Case(id="b", input="y"))
        def test_refund(trial, tone): pass
    """)
    found = ids(project.run("--collect-only", "-q"))
    assert found == [f"test_refund[{case}-{tone}]" for case in "ab" for tone in ("kind", "curt")]


def test_methods_of_plain_classes_are_agent_tests_too(project: Project) -> None:
    project.test("""
        class TestRefund:
            @agent_cases(Case(id="a", input="x"))
            def test_it(self, trial, case):
                assert trial.output == "within 30 days" and case.id == "a"
    """)
    assert project.run().result.parseoutcomes()["passed"] >= 1


def test_collecting_shows_the_cases_without_the_flag(project: Project) -> None:
    project.cases("x", "y")
    assert ids(project.idle("--collect-only", "-q")) == ["test_refund[c0]", "test_refund[c1]"]


def test_a_keyword_finds_a_case_without_the_flag(project: Project) -> None:
    project.cases("x", "y")
    project.idle("-k", "c1").result.assert_outcomes(skipped=1, deselected=1)


def test_a_node_id_finds_a_case_without_the_flag(project: Project) -> None:
    project.cases("x", "y")
    project.idle("suites/refunds/test_refunds.py::test_refund[c1]").result.assert_outcomes(skipped=1)


def test_without_the_flag_a_test_is_one_skipped_item_that_tells_the_command(project: Project) -> None:
    project.cases("x", "y", repeats=3)
    session = project.idle("-rs")
    session.result.assert_outcomes(skipped=1)
    session.result.stdout.fnmatch_lines(["*run it with pytest --agent-eval suites/refunds/test_refunds.py*"])


def test_without_the_flag_a_parametrised_test_is_one_skipped_item_too(project: Project) -> None:
    project.test("""
        @pytest.mark.parametrize("tone", ["kind", "curt"])
        @agent_cases(Case(id="a", input="x"))
        def test_refund(trial, tone): pass
    """)
    project.idle().result.assert_outcomes(skipped=1)


def test_without_the_flag_no_case_file_is_read_and_nothing_written(project: Project) -> None:
    project.put("suites/refunds/cases/more.jsonl", "this is no JSON\n")
    project.test("@agent_cases(load_cases('more.jsonl'))\ndef test_refund(trial): pass")
    before = set(project.root.rglob("*"))
    project.idle("-p", "no:cacheprovider").result.assert_outcomes(skipped=1)
    new = {path for path in set(project.root.rglob("*")) - before if "__pycache__" not in path.parts}
    assert not new


def test_without_the_flag_a_wrong_case_file_is_told_when_items_are_asked_for(project: Project) -> None:
    project.put("suites/refunds/cases/more.jsonl", "this is no JSON\n")
    project.test("@agent_cases(load_cases('more.jsonl'))\ndef test_refund(trial): pass")
    session = project.idle("--collect-only")
    assert session.code == 2
    assert "more.jsonl:1" in session.text


def test_collecting_with_the_flag_writes_no_verdict(project: Project) -> None:
    project.cases("x")
    assert project.run("--collect-only").code == 0
    assert not (project.root / ".agenteval" / "verdict.json").exists()
    assert not (project.root / "history").exists()
