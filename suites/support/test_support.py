"""The support desk's mail: does each request reach the right queue, with its order and the right calls?"""

from __future__ import annotations

from typing import Any

from pytest_agenteval import Case, Trial, agent_cases, load_cases, metric


@metric(better="higher", unit="fraction", needs={"expect.fields"})
def reply_names_the_order(trial: Trial) -> bool | None:
    """Whether the drafted reply names the order that the mail is about, where there is one."""
    expected: Any = trial.case.expect["fields"]
    answer: Any = trial.output
    return expected["order"] in (answer["reply"] or "") if expected["order"] else None


@agent_cases(
    load_cases("requests.jsonl"),
    metrics=["success", "fields_equal", "tool_calls", "brier", reply_names_the_order],
)
def test_support(trial: Trial, case: Case) -> None:
    answer: Any = trial.output
    assert not trial.called("issue_refund")  # money is moved by people
    assert "://" not in (answer["reply"] or "")  # no link of a stranger's mail is passed on
