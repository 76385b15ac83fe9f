"""Berkeley Function Calling Leaderboard: six models' calls on four dates, a digest a case.

Run: ``python -m suites.convert.bfcl``.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any

from pytest_agenteval.model.case import Case
from pytest_agenteval.model.jsonvalue import digest
from pytest_agenteval.model.recording import RecordedTrial, RecordingHeader
from pytest_agenteval.model.trajectory import AgentIdentity, Step, Trajectory
from suites.convert.corpus import (
    SUITES,
    CorpusError,
    corpus,
    positive,
    read_lines,
    write_cases,
    write_recording,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Set
    from pathlib import Path

SUITE = SUITES / "function_calling"
SOURCE = "github.com/HuanzhiMao/BFCL-Result at b4adfc9be5e0"

MODELS = (
    "claude-3-opus-20240229-FC",
    "gemini-1.5-pro-preview-0514",
    "gorilla-openfunctions-v2",
    "gpt-3.5-turbo-0125-FC",
    "gpt-4o-2024-05-13-FC",
    "mistral-tiny-2312",
)
DATES = ("2024-07-06", "2024-07-20", "2024-07-22", "2024-08-11")

CATEGORIES = {
    "executable_multiple_function": 50,
    "executable_parallel_function": 50,
    "executable_parallel_multiple_function": 40,
    "executable_simple": 100,
    "java": 100,
    "javascript": 50,
    "multiple_function": 200,
    "parallel_function": 200,
    "parallel_multiple_function": 200,
    "relevance": 240,
    "rest": 70,
    "simple": 400,
}
"""The scored categories, and the cases of each; sql and chatable have results on some dates, no scores."""

_PREFIX, _SUFFIX = "gorilla_openfunctions_v1_test_", "_result.json"
_DIGEST_DIGITS = 12
_SECONDS_DIGITS = 4


def case_of(category: str, position: int) -> Case:
    """The case of a category at a position (from 0). It refers to the question, which is not kept here."""
    return Case(id=f"{category}/{position}", input={"category": category, "position": position}, tags=(category,))


def recorded_trial(category: str, position: int, record: Mapping[str, Any], *, passed: bool) -> RecordedTrial:
    """A model's answer as a digest, with its tokens, seconds and the checker's verdict.

    Zero tokens in and out are those of a failed call: not known. Raises CorpusError where the record names
    another case than its position does.
    """
    named = record.get("idx", record.get("id"))
    if named is None or str(named).rpartition("_")[2] != str(position):
        message = (
            f"the record at position {position} of {category} names the case {named!r}; "
            "whose verdict it got cannot be told"
        )
        raise CorpusError(message)
    case = case_of(category, position)
    tokens_in, tokens_out = record.get("input_token_count"), record.get("output_token_count")
    called = bool(tokens_in or tokens_out)
    seconds = positive(record.get("latency"))
    return RecordedTrial(
        case=case.id,
        fingerprint=case.fingerprint,
        trajectory=Trajectory(
            output=f"sha256:{digest(record['result'], length=_DIGEST_DIGITS)}",
            steps=(
                Step(
                    kind="model",
                    tokens_in=tokens_in if called else None,
                    tokens_out=tokens_out if called else None,
                ),
            ),
            seconds=None if seconds is None else round(seconds, _SECONDS_DIGITS),
            recorded={"success": passed},
        ),
    )


def failures(scores: Iterable[Mapping[str, Any]]) -> dict[str, Set[int]]:
    """The positions (from 0) that failed, by category.

    A file's first record counts, each other is a failed case by its position from 1. Raises CorpusError
    where the two disagree: a lost failure would count as a pass.
    """
    failed: dict[str, set[int]] = {}
    wrong: dict[str, int] = {}
    for score in scores:
        category, record = score["file"].removesuffix("_score.json"), score["record"]
        if category not in failed:
            failed[category] = set()
            wrong[category] = record["total_count"] - record["correct_count"]
        else:
            failed[category].add(record["id"] - 1)
    for category, positions in failed.items():
        if len(positions) != wrong[category]:
            message = f"{category}: {wrong[category]} failures are counted, {len(positions)} are listed"
            raise CorpusError(message)
    return dict(failed)


def trials_of(results: Iterable[Mapping[str, Any]], failed: Mapping[str, Set[int]]) -> list[RecordedTrial]:
    """A trial for each case of the scored categories. Raises CorpusError where one is missing."""
    met = dict.fromkeys(CATEGORIES, 0)
    trials = []
    for result in results:
        category = result["file"].removeprefix(_PREFIX).removesuffix(_SUFFIX)
        if category in met:
            position = met[category]
            passed = position not in failed[category]
            trials.append(recorded_trial(category, position, result["record"], passed=passed))
            met[category] += 1
    if met != CATEGORIES:
        missing = [f"{name} {met[name]} of {due}" for name, due in CATEGORIES.items() if met[name] != due]
        message = f"not the scored cases: {', '.join(missing)}"
        raise CorpusError(message)
    return trials


def header_of(model: str, day: str) -> RecordingHeader:
    """The first line of a model's recording of a date; noon stands for the hour, which is not known."""
    return RecordingHeader(
        agent=AgentIdentity(name=model, model=model),
        at=datetime.combine(date.fromisoformat(day), time(12), tzinfo=UTC),
        suite=SUITE.name,
        source=SOURCE,
        licence="Apache-2.0",
    )


def convert(source: Path, suite: Path = SUITE) -> None:
    """Write the case file, and a recording for each date and model."""
    cases = [case_of(name, position) for name, count in CATEGORIES.items() for position in range(count)]
    write_cases(suite / "cases" / "cases.jsonl", cases)
    for day in DATES:
        for model in MODELS:
            failed = failures(read_lines(source / day / f"{model}.scores.jsonl.gz"))
            trials = trials_of(read_lines(source / day / f"{model}.results.jsonl.gz"), failed)
            write_recording(suite / "recordings" / day / f"{model}.jsonl.gz", header_of(model, day), trials)


if __name__ == "__main__":
    convert(corpus("bfcl"))
