"""AgentDojo: 97 tasks of tool-using agents, without and with a prompt injection.

Run: ``python -m suites.convert.agentdojo``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_agenteval.model.case import Case
from pytest_agenteval.model.recording import RecordedTrial, RecordingHeader
from pytest_agenteval.model.trajectory import AgentIdentity, Step, Trajectory
from suites.convert.corpus import (
    NO_FINAL_TEXT,
    SUITES,
    CorpusError,
    corpus,
    needed,
    read_lines,
    write_cases,
    write_recording,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

SUITE = SUITES / "agentdojo"
SOURCE = "github.com/ethz-spylab/agentdojo, runs as exported in memo-ozdincer/rrfa at 938ad23bdb22"
VERSION_OF_CASES = "v1.1"
"""The benchmark's version whose wording the case files have: that of the agent of the baseline."""

# Agent, and its file where that is named otherwise.
AGENTS = {
    "claude-3-5-sonnet-20240620": "",
    "claude-3-5-sonnet-20241022": "",
    "claude-3-haiku-20240307": "",
    "gpt-4o-2024-05-13-repeat_user_prompt": "",
    "gpt-4o-2024-05-13-tool_filter": "",
    "gpt-4o-2024-05-13-transformers_pi_detector": "gpt-4o-2024-05-13-transformers_pi_detector_1",
    "gpt-4o-mini-2024-07-18": "",
}
_DEFENDED_MODEL = "gpt-4o-2024-05-13"


class Gold:
    """The benchmark's own solutions, by version and task."""

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        self._rows = {(row["benchmark_version"], row["suite_name"], row["user_task_id"]): row for row in rows}

    @property
    def tasks(self) -> list[tuple[str, str]]:
        """Suite and task of the version that the cases have."""
        return [(suite, task) for version, suite, task in self._rows if version == VERSION_OF_CASES]

    def benign(self, suite: str, task: str, prompt: str | None = None) -> Case:
        """The case of a task; with a prompt, that of the version which words it so."""
        found = [
            row
            for version in (VERSION_OF_CASES, "v1")
            if (row := self._rows[version, suite, task]) and prompt in (None, row["prompt"])
        ]
        if not found:
            message = f"the prompt of {suite}/{task} is that of no version: {prompt!r:.80}"
            raise CorpusError(message)
        calls = [call["function"] for call in found[0]["calls"]]
        return Case(id=f"{suite}/{task}", input=found[0]["prompt"], expect={"calls": calls}, tags=(suite,))


def attacked(suite: str, task: str, injection: str, attack: str = "important_instructions") -> Case:
    """The case of a task under attack. It refers to the texts: the attack's is made for each model."""
    return Case(
        id=f"{suite}/{task}+{injection}",
        input={"attack": attack, "injection_task": injection, "user_task": f"{suite}/{task}"},
        tags=(suite,),
    )


def recorded_trial(run: Mapping[str, Any], gold: Gold) -> RecordedTrial:
    """What an agent did in a run; a benign run in another wording than its case's brings its own."""
    about = run["metadata"]
    where = f"run {run.get('index')}"
    suite, task = needed(about, "suite_name", where), needed(about, "user_task_id", where)
    prompt = next(message["content"] for message in run["messages"] if message["role"] == "user")
    asked = gold.benign(suite, task, prompt)
    recorded = {"success": about["success"]}
    if about["injection_task_id"] is None:
        case, reworded = asked, asked.input != gold.benign(suite, task).input
    else:
        if prompt != gold.benign(suite, task).input:
            message = f"the attacked run of {suite}/{task} is not worded as its case: {prompt!r:.80}"
            raise CorpusError(message)
        case, reworded = attacked(suite, task, about["injection_task_id"], about["attack_type"]), False
        recorded["attack_succeeded"] = about["security"]
    return RecordedTrial(
        case=case.id,
        fingerprint=case.fingerprint,
        input=case.input if reworded else None,
        expect=case.expect if reworded else None,
        trajectory=Trajectory(
            output=run["messages"][-1]["content"] or NO_FINAL_TEXT,
            steps=steps_of(run["messages"]),
            recorded=recorded,
        ),
    )


def steps_of(messages: Sequence[Mapping[str, Any]]) -> tuple[Step, ...]:
    """The run's tool calls with their results, and what was said on the way.

    Left out are the system's prompt and the task's, which come first, and the final text, which is the
    output. A call whose result is missing (the run was cut off) has no output.
    """
    steps: list[Step] = []
    first = next(place for place, message in enumerate(messages) if message["role"] == "user")
    for place, message in enumerate(messages[first + 1 :], first + 1):
        if message["role"] == "tool":
            continue
        if message["content"] and place < len(messages) - 1:
            steps.append(Step(kind="message", name=message["role"], output=message["content"]))
        results = _results_after(messages, place)
        steps += [_step(call, results) for call in message.get("tool_calls") or ()]
    return tuple(steps)


def _results_after(messages: Sequence[Mapping[str, Any]], place: int) -> list[Mapping[str, Any]]:
    """The results that follow a message at once: a call's id is unique among them, not in the whole run."""
    results = []
    for message in messages[place + 1 :]:
        if message["role"] != "tool":
            break
        results.append(message)
    return results


def _step(call: Mapping[str, Any], results: list[Mapping[str, Any]]) -> Step:
    result = next((found for found in results if found["tool_call_id"] == call["id"]), None)
    if result is not None:
        results.remove(result)
    return Step(
        kind="tool",
        name=call["function"]["name"],
        input=call["function"]["arguments"],
        output=result["content"] if result else None,
        error=result["error"] if result else None,
    )


def header_of(agent: str) -> RecordingHeader:
    """The first line of an agent's recording; when it was made is not known."""
    model = _DEFENDED_MODEL if agent.startswith(f"{_DEFENDED_MODEL}-") else agent
    identity = AgentIdentity(name=agent, model=model)
    return RecordingHeader(agent=identity, suite=SUITE.name, source=SOURCE, licence="MIT")


def convert(source: Path, suite: Path = SUITE) -> None:
    """Write the case files and a recording an agent."""
    gold = Gold(read_lines(source / "gold_tool_calls.jsonl"))
    write_cases(suite / "cases" / "benign.jsonl", [gold.benign(*task) for task in gold.tasks])
    write_cases(suite / "cases" / "attacked.jsonl", [attacked(*task, "injection_task_3") for task in gold.tasks])
    for agent, file in AGENTS.items():
        _, *runs = read_lines(source / "runs" / f"{file or agent}.jsonl.gz")
        trials = [recorded_trial(run, gold) for run in runs]
        write_recording(suite / "recordings" / f"{agent}.jsonl.gz", header_of(agent), trials)


if __name__ == "__main__":
    convert(corpus("agentdojo"))
