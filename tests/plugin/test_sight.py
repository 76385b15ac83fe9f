"""Before any agent is called a session says how small a drop its gate can see."""

from __future__ import annotations

import re

from tests.plugin.sessions import Project


def approved(project: Project, repeats: int) -> Project:
    project.gate("success = { margin = 0.05 }")
    project.cases(*(f"q {n}" for n in range(60)))
    project.run("--agent-eval-repeats", str(repeats))
    project.approve()
    return project


def sight(project: Project, *arguments: str) -> list[str]:
    return re.findall(r"^refunds: with .*$", project.run(*arguments).text, re.MULTILINE)


def test_a_suite_with_a_baseline_says_once_what_it_can_see_and_before_its_first_test(both: Project) -> None:
    text = approved(both, 1).run("-v").text
    [line] = re.findall(r"^refunds: with .*$", text, re.MULTILINE)
    assert text.index(line) < text.index("test_refund[")
    assert re.fullmatch(
        r"refunds: with 60 cases, \d+ % flips and one gating metric this gate finds drops of [\d.]+ points or more, "
        r"8 times in 10",
        line,
    )


def test_the_attempts_of_the_run_count(project: Project) -> None:
    approved(project, 4)
    [line] = sight(project, "--agent-eval-repeats", "4")
    assert line.startswith("refunds: with 60 cases × 4, ")


def test_nothing_is_promised_without_a_baseline_of_a_part_or_of_a_mere_collection(project: Project) -> None:
    project.cases("q 1", "q 2")
    assert sight(project) == []
    approved(project, 1)
    assert sight(project, "-k", "c1") == []
    assert sight(project, "--collect-only") == []
