"""τ-bench and τ²-bench: customer-service agents; trials of four attempts, and six runs with cost and times.

Run: ``python -m suites.convert.tau``.
"""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pytest_agenteval.model.case import Case
from pytest_agenteval.model.jsonvalue import digest, parse
from pytest_agenteval.model.recording import RecordedTrial, RecordingHeader
from pytest_agenteval.model.trajectory import AgentIdentity, Step, Trajectory
from suites.convert.corpus import (
    NO_FINAL_TEXT,
    SUITES,
    CorpusError,
    corpus,
    needed,
    positive,
    read_lines,
    write_cases,
    write_recording,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from pytest_agenteval.model.jsonvalue import JSON

SUITE = SUITES / "airline"
TAU_SOURCE = "github.com/sierra-research/tau-bench at 59a200c6d575"
TAU2_SOURCE = "github.com/sierra-research/tau2-bench at "

TAU2_RUNS = {
    "tau2_airline": {
        "azure-gpt-4o": ("airline_azure-gpt-4o", "07c6aaca2241"),
        "claude-sonnet-4-5": ("airline_claude-sonnet-4-5", "bfe508e486bc"),
    },
    "tau2_airline_test": {
        "gpt-4.1": ("airline_gpt-4.1", "59d0fb96f429"),
        "gpt-4.1-sft": ("airline_gpt-4.1-sft", "59d0fb96f429"),
    },
    "tau2_telecom": {
        "telecom-gpt-4.1": ("telecom_gpt-4.1", "59d0fb96f429"),
        "telecom-gpt-4.1-sft": ("telecom_gpt-4.1-sft", "59d0fb96f429"),
    },
}
"""Case file to recordings: the source's file and commit of each."""

_FIRST_YEAR = 2022
"""Times before it are placeholders (the epoch, year 1): there was no such agent."""


def tau_case(record: Mapping[str, Any]) -> Case:
    """The case of a record of τ-bench: what the simulated customer wants, and the names of the gold calls."""
    task = record["info"]["task"]
    return Case(
        id=f"task-{needed(record, 'task_id', 'a record of τ-bench'):03d}",
        input=task["instruction"],
        expect={"calls": [action["name"] for action in task["actions"]]},
        tags=("tau",),
    )


def tau_trial(record: Mapping[str, Any]) -> RecordedTrial:
    """What the agent did in one of the four attempts at a task."""
    case = tau_case(record)
    return RecordedTrial(
        case=case.id,
        attempt=needed(record, "trial", f"the record of {case.id}") + 1,
        fingerprint=case.fingerprint,
        trajectory=Trajectory(
            output=last_text(record["traj"]),
            steps=tuple(_tau_steps(record["traj"])),
            recorded={"success": record["reward"] == 1.0},
        ),
    )


def _tau_steps(messages: Sequence[Mapping[str, Any]]) -> Iterable[Step]:
    """A step a call; its result is the next message, since no message has two calls."""
    for place, message in enumerate(messages):
        for call in message.get("tool_calls") or ():
            result = next(iter(messages[place + 1 : place + 2]), {})
            yield Step(
                kind="tool",
                name=call["function"]["name"],
                input=parse(call["function"]["arguments"]),
                output=result["content"] if result.get("tool_call_id") == call["id"] else None,
            )


def tau2_id(file: str, task_id: str) -> str:
    """The id of a case of τ²-bench: its number; in telecom, whose ids are too long, a digest.

    >>> tau2_id("tau2_airline", "7")
    'tau2_airline/007'
    >>> tau2_id("tau2_telecom", "[mms_issue]bad_wifi_calling|data_mode_off[PERSONA:Easy]")
    'tau2_telecom/mms_issue/easy/29dda93e'
    """
    if task_id.isdecimal():
        return f"{file}/{int(task_id):03d}"
    issue = task_id.partition("]")[0].removeprefix("[")
    persona = task_id.rpartition("[PERSONA:")[2].removesuffix("]").lower()
    return f"{file}/{issue}/{persona}/{digest(task_id, length=8)}"


def tau2_case(file: str, task: Mapping[str, Any]) -> Case:
    """The case of a task of τ²-bench. The reward judges a run, so nothing is expected here."""
    task_id = needed(task, "id", f"a task of {file}")
    scenario: Mapping[str, JSON] = task["user_scenario"]
    return Case(id=tau2_id(file, task_id), input={"task": task_id, **scenario}, tags=(file,))


def tau2_trial(case: Case, run: Mapping[str, Any]) -> RecordedTrial:
    """What is scored of a run: the names and arguments of the calls, tokens, cost, times and the reward.

    The stored cost is kept as it is, also the 0 of a model without a known price.
    """
    usage = [m["usage"] for m in run["messages"] if m["role"] == "assistant" and m.get("usage")]
    total = Step(
        kind="model",
        tokens_in=sum(item["prompt_tokens"] for item in usage) if usage else None,
        tokens_out=sum(item["completion_tokens"] for item in usage) if usage else None,
        cost_usd=run.get("agent_cost"),
    )
    return RecordedTrial(
        case=case.id,
        fingerprint=case.fingerprint,
        at=time_of(run.get("start_time"), case.id),
        trajectory=Trajectory(
            output=last_text(run["messages"]),
            steps=(total, *_tau2_steps(run["messages"])),
            seconds=positive(run.get("duration")),
            recorded=_tau2_verdict(run["reward_info"]),
        ),
    )


def _tau2_steps(messages: Sequence[Mapping[str, Any]]) -> Iterable[Step]:
    """A step a call of the agent, not of the customer. Results are left out, but for errors."""
    errors = {m["id"]: m["content"] for m in messages if m["role"] == "tool" and m.get("error")}
    for message in messages:
        if message["role"] == "assistant":
            for call in message.get("tool_calls") or ():
                yield Step(kind="tool", name=call["name"], input=call["arguments"], error=errors.get(call["id"]))


def _tau2_verdict(found: Mapping[str, Any]) -> dict[str, JSON]:
    """The reward, and the action checks where any were made: none at all is not zero of zero."""
    verdict: dict[str, JSON] = {"success": found["reward"] == 1.0}
    if checks := found.get("action_checks"):
        verdict["actions_matched"] = sum(check["action_match"] for check in checks)
        verdict["actions_checked"] = len(checks)
    return verdict


def last_text(messages: Sequence[Mapping[str, Any]]) -> str:
    """What the agent said last."""
    said = [message["content"] for message in messages if message["role"] == "assistant" and message["content"]]
    return said[-1] if said else NO_FINAL_TEXT


def time_of(text: str | None, where: str) -> datetime | None:
    """The instant that a time without a zone names, taken as UTC; None where it is missing or a placeholder.

    Raises CorpusError where the text is no time.

    >>> time_of("2025-08-01T15:53:27", "task 1").isoformat()
    '2025-08-01T15:53:27+00:00'
    >>> time_of("1970-01-01T00:00:00", "task 1")
    """
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        message = f"the start of {where} is no time: {text!r}"
        raise CorpusError(message) from error
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return at if at.year >= _FIRST_YEAR else None


def convert_tau(source: Path, suite: Path = SUITE) -> None:
    """Write the cases and the recording of τ-bench."""
    records = list(read_lines(source / "gpt-4o-airline.jsonl.gz"))
    write_cases(suite / "cases" / "tau.jsonl", {case.id: case for case in map(tau_case, records)}.values())
    header = RecordingHeader(
        agent=AgentIdentity(name="gpt-4o", model="gpt-4o"), suite=SUITE.name, source=TAU_SOURCE, licence="MIT"
    )
    write_recording(suite / "recordings" / "gpt-4o.jsonl.gz", header, [tau_trial(row) for row in records])


def convert_tau2(source: Path, suite: Path = SUITE) -> None:
    """Write the cases and the recordings of τ²-bench."""
    for file, runs in TAU2_RUNS.items():
        for name, (stem, commit) in runs.items():
            data = parse(gzip.decompress((source / "simulations" / f"{stem}.json.gz").read_bytes()).decode())
            cases = {task["id"]: tau2_case(file, task) for task in data["tasks"]}
            write_cases(suite / "cases" / f"{file}.jsonl", cases.values())
            trials = [tau2_trial(cases[run["task_id"]], run) for run in data["simulations"]]
            model = data["info"]["agent_info"]["llm"]
            header = RecordingHeader(
                agent=AgentIdentity(name=name, model=model),
                at=min((trial.at for trial in trials if trial.at), default=None),
                suite=SUITE.name,
                source=TAU2_SOURCE + commit,
                licence="MIT",
            )
            write_recording(suite / "recordings" / "tau2" / f"{name}.jsonl.gz", header, trials)


if __name__ == "__main__":
    convert_tau(corpus("tau_bench"))
    convert_tau2(corpus("tau2_bench"))
