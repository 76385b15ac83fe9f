"""Adaptive repeats: attempts are left out where nothing is to be learnt from them, in one process and in several."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_agenteval.cli import main
from tests.plugin.sessions import Project, Session, records

N = 40
CAP = 5

AGENT = """
import pytest

@pytest.fixture(scope="session")
def agent():
    def shop(text, attempt):
        with open("calls.txt", "a") as calls:
            calls.write(f"{{text}}/{{attempt}}\\n")
        n = int(text.split()[1])
        return "never" if {wrong} else "within 30 days"
    return shop
"""

ADAPTIVE = f"'adaptive', max_repeats={CAP}"


def agent(wrong: str = "False") -> str:
    """An agent that is wrong where the expression in n and attempt says so."""
    return AGENT.format(wrong=wrong)


def cases(project: Project, *, n: int = N, repeats: str = ADAPTIVE, **how: str) -> None:
    project.cases(*(f"q {number}" for number in range(n)), repeats=repeats, **how)  # type: ignore[arg-type]  # source


@pytest.fixture
def approved(project: Project) -> Project:
    """A project with adaptive repeats, whose baseline was made of two attempts by an agent that is always right."""
    return with_baseline(project)


@pytest.fixture
def approved_both(both: Project) -> Project:
    """The same, in one process and in several."""
    return with_baseline(both)


def with_baseline(project: Project) -> Project:
    project.gate("success = { margin = 0.2 }")
    cases(project)
    project.agent(agent())
    assert project.run("--agent-eval-repeats", "2", workers=0).code == 10  # no baseline yet
    assert project.approve() == 0
    (project.root / "calls.txt").unlink()
    return project


def calls(project: Project) -> list[str]:
    return sorted((project.root / "calls.txt").read_text().splitlines())


def rounds(session: Session, suite: str = "refunds") -> dict[str, Any]:
    return dict(session.verdict["rounds"][suite])


def verdict(session: Session, metric: str = "success") -> dict[str, Any]:
    [found] = [one for one in session.verdict["verdicts"] if one["metric"] == metric]
    return dict(found)


def test_a_settled_suite_makes_no_further_calls(approved_both: Project) -> None:
    session = approved_both.run()
    told, made = rounds(session), calls(approved_both)
    assert session.code == 0
    assert 1 < told["used"] < CAP == told["cap"]
    assert told["calls"] - told["saved"] == len(made) == len(set(made)) < 0.5 * N * CAP
    assert verdict(session)["outcome"] == "pass"
    assert main(["--root", str(approved_both.root), "verdict", "check"]) == 0
    assert (
        f"settled after {told['used']} of {CAP} attempts; {told['saved']} of {N * CAP} agent calls saved"
        in session.text
    )


def test_what_was_not_needed_is_skipped_with_the_reason_and_makes_nothing_partial(approved: Project) -> None:
    session = approved.run("-rs")
    told = rounds(session)
    session.result.assert_outcomes(skipped=told["saved"], passed=told["calls"] - told["saved"] + 2)
    why = f"not needed: the verdict of refunds was settled after {told['used']} of {CAP} attempts"
    assert f"SKIPPED [{told['saved']}] suites/refunds/test_refunds.py" in session.text
    assert why in session.text
    assert session.verdict["partial"] == []


def test_no_fixture_is_set_up_for_what_is_not_needed(approved: Project) -> None:
    source = (approved.root / "suites/refunds/test_refunds.py").read_text()
    fixture = "\n@pytest.fixture\ndef desk():\n    with open('desks.txt', 'a') as desks:\n        desks.write('d')\n"
    approved.put("suites/refunds/test_refunds.py", source.replace("(trial, case)", "(trial, case, desk)") + fixture)
    approved.run()
    assert len((approved.root / "desks.txt").read_text()) == len(calls(approved))


@pytest.mark.parametrize("wrong", ["False", "n < 20", "(n + attempt) % 4 == 0"], ids=["same", "drop", "noise"])
def test_two_workers_say_what_one_process_says(project: Project, wrong: str) -> None:
    with_baseline(project).agent(agent(wrong))
    plain, spread = project.run(workers=0), project.run(workers=2)
    assert plain.code == spread.code
    assert rounds(plain)["used"] == rounds(spread)["used"]
    assert rounds(plain)["saved"] >= rounds(spread)["saved"]
    assert plain.estimate("success") == spread.estimate("success")
    assert verdict(plain) == verdict(spread)
    assert plain.verdict["trials"] == spread.verdict["trials"]


def test_a_clear_drop_is_settled_early_and_seen_again_with_as_many_attempts(approved_both: Project) -> None:
    approved_both.agent(agent("n < 20"))
    session = approved_both.run()
    used, found = rounds(session)["used"], verdict(session)
    assert (session.code, found["outcome"], found["confirmed"]) == (10, "regressed", True)
    assert used < CAP
    second = [call for call in calls(approved_both) if int(call.rpartition("/")[2]) > CAP]
    assert second == sorted(f"q {n}/{CAP + attempt}" for n in range(N) for attempt in range(1, used + 1))
    assert "corrected for 2 comparisons and 5 looks" not in session.text  # error_rate has no baseline
    assert "corrected for 5 looks" in found["message"]


def test_what_stays_undecided_goes_to_the_cap(approved: Project) -> None:
    approved.agent(agent("n % 5 == 0"))  # a loss of the margin
    session = approved.run()
    assert rounds(session) == {"used": CAP, "cap": CAP, "calls": N * CAP, "saved": 0}
    assert len(calls(approved)) == N * CAP
    assert verdict(session)["reason"] == "too few"
    assert f"all {CAP} attempts needed; 0 of {N * CAP} agent calls saved" in session.text


def test_a_suite_without_a_baseline_makes_all_attempts(project: Project) -> None:
    project.gate("success = { margin = 0.2 }")
    cases(project)
    project.agent(agent())
    session = project.run()
    assert len(calls(project)) == N * CAP
    assert verdict(session)["outcome"] == "no_baseline"


def test_a_floor_that_is_merely_not_broken_keeps_a_suite_open(approved: Project) -> None:
    approved.gate("success = { margin = 0.2, floor = 0.9 }")
    session = approved.run()
    assert (session.code, rounds(session)["saved"]) == (0, 0)
    approved.gate("success = { margin = 0.2, floor = 0.5 }")
    assert rounds(approved.run())["saved"] > 0


def test_a_number_of_repeats_on_the_command_line_is_fixed(approved: Project) -> None:
    session = approved.run("--agent-eval-repeats", "3")
    assert len(calls(approved)) == 3 * N
    assert "rounds" not in session.verdict


def test_a_stored_run_is_judged_again_by_the_levels_of_its_look(approved: Project, capsys: Any) -> None:
    approved.agent(agent("(n + attempt) % 4 == 0"))
    session = approved.run()
    before = verdict(session)
    capsys.readouterr()
    main(["--root", str(approved.root), "gate", session.run["run"]["id"]])
    told = capsys.readouterr().out
    assert before["outcome"] == "regressed" or before["message"] in told
    assert f"of {CAP} attempts" in told or f"all {CAP} attempts" in told


MUST_PASS = """
@agent_cases(
    [Case(id=f'c{n}', input=f'q {n}', expect={'contains': ['30 days']}, tags=('must_pass',) if n == 3 else ())
     for n in range(30)],
    metrics=['success'], repeats='adaptive', max_repeats=4)
def test_refund(trial): pass
"""


def test_a_must_pass_case_is_not_asked_again_after_its_failure(both: Project) -> None:
    both.test(MUST_PASS)
    both.agent(agent("n == 3 and attempt == 2"))
    session = both.run("-rs", "-p", "no:cacheprovider")
    assert session.code in (1, 10)
    assert "not needed: the value of the case was settled after 2 of 4 attempts" in session.text
    assert session.estimate("success")["n"] == 30
    assert session.verdict["partial"] == []
    counted = [one.get("attempt", 1) for one in session.trials if one.get("case", {}).get("id") == "c3"]
    assert counted == [1, 2]


PASS_HAT = """
@metric(better="higher", unit="fraction", aggregate="pass_{kind}_4")
def right(trial): return "30 days" in trial.output

@agent_cases(
    [Case(id=f'c{{n}}', input=f'q {{n}}') for n in range(30)], metrics=[right{more}], repeats={repeats})
def test_refund(trial): pass
"""


@pytest.mark.parametrize("kind", ["hat", "at"])
@pytest.mark.parametrize("wrong", ["n % 3 == 0 and attempt > 1", "True"], ids=["some", "all"])
def test_pass_k_of_all_attempts_is_what_it_would_have_been(project: Project, kind: str, wrong: str) -> None:
    project.agent(agent(wrong))
    project.test(PASS_HAT.format(kind=kind, more="", repeats="4"))
    whole = project.run().estimate("right")
    n_whole = len(calls(project))
    project.test(PASS_HAT.format(kind=kind, more="", repeats="'adaptive', max_repeats=4"))
    session = project.run()
    assert session.estimate("right") == whole
    assert len(calls(project)) - n_whole == 120 - rounds(session)["saved"]
    assert (rounds(session)["saved"] > 0) == (kind == "hat" or wrong != "True")
    assert session.verdict["partial"] == []


def test_a_mean_beside_pass_k_takes_every_attempt(project: Project) -> None:
    project.agent(agent("n % 3 == 0"))
    project.test(PASS_HAT.format(kind="hat", more=", 'success'", repeats="'adaptive', max_repeats=4"))
    assert rounds(project.run())["saved"] == 0


def test_cases_that_were_left_out_leave_a_suite_partial(approved: Project) -> None:
    session = approved.run("-k", "not c7-", "--agent-eval-partial")
    assert session.verdict["partial"] == ["refunds"]
    assert rounds(session)["saved"] == 0


def test_a_trial_that_is_missing_for_another_reason_leaves_a_suite_partial(approved: Project) -> None:
    cases(approved, body="pass")
    source = (approved.root / "suites/refunds/test_refunds.py").read_text()
    skipping = (
        "\n@pytest.fixture(autouse=True)\ndef weekday(request, agenteval_job):\n"
        "    if agenteval_job.key[1:] == ('c7', 1): pytest.skip('closed')\n"
    )
    approved.put("suites/refunds/test_refunds.py", source + skipping)
    session = approved.run()
    assert session.verdict["partial"] == ["refunds"]
    assert rounds(session)["saved"] == 0


TWO_TESTS = """
CASES = [Case(id=f'c{n}', input=f'q {n}', expect={'contains': ['30 days']}) for n in range(40)]

@agent_cases(CASES[:30], metrics=['success'], repeats='adaptive', max_repeats=3)
def test_one(trial): pass

@agent_cases(CASES[20:], metrics=['success', 'contains'], repeats=SECOND)
def test_two(trial): pass
"""


def of_two_tests(project: Project, second: str) -> Session:
    project.gate("success = { margin = 0.2 }")
    project.agent(agent())
    project.test(TWO_TESTS.replace("SECOND", second))
    project.run("--agent-eval-repeats", "2", workers=0)
    project.approve()
    (project.root / "calls.txt").unlink()
    return project.run()


def test_two_adaptive_tests_of_a_suite_go_round_by_round_up_to_the_larger_cap(project: Project) -> None:
    session = of_two_tests(project, "'adaptive', max_repeats=5")
    told = rounds(session)
    assert told["cap"] == 5
    assert told["calls"] == 30 * 3 + 10 * 5 + 10 * 2  # the ten shared cases have the attempts of project
    assert told["used"] < 5
    assert len(calls(project)) == told["calls"] - told["saved"] < told["calls"]


def test_a_fixed_test_beside_an_adaptive_one_makes_all_its_attempts(project: Project) -> None:
    session = of_two_tests(project, "3")
    assert [f"q {n}/3" in calls(project) for n in range(20, 40)] == [True] * 20
    assert rounds(session)["used"] < rounds(session)["cap"] == 3
    assert session.verdict["trials"] == 40 * rounds(session)["used"]


def test_attempts_that_do_not_count_are_kept_aside(project: Project) -> None:
    of_two_tests(project, "3")
    rows = records(project.root)[1:]
    aside = [row["unneeded"] for row in rows if "unneeded" in row]
    assert {trial["attempt"] for trial in aside} == {3}
    assert all("attempt" not in row or row["attempt"] < 3 for row in rows)


@pytest.mark.parametrize(
    ("repeats", "reason"),
    [
        ("0", "repeats=0 makes no attempt"),
        ("True", "repeats=True makes no attempt"),
        ("'often'", "repeats='often' makes no attempt"),
        ("'adaptive'", "needs max_repeats= from 2 to 100, not None"),
        ("'adaptive', max_repeats=1", "needs max_repeats= from 2 to 100, not 1"),
        ("3, max_repeats=5", "max_repeats=5 is for repeats='adaptive' alone, not for repeats=3"),
    ],
)
def test_what_is_no_number_of_attempts_is_refused(project: Project, repeats: str, reason: str) -> None:
    cases(project, n=1, repeats=repeats)
    session = project.run()
    assert session.code == 2
    assert reason in session.text


def test_without_the_flag_all_attempts_are_shown_to_whoever_asks(project: Project) -> None:
    cases(project, n=2)
    assert "10 tests collected" in project.idle("--collect-only", "-q").text
