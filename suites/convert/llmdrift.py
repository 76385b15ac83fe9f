"""LLMDrift: two services on the same questions in March and in June 2023; a digest and a verdict a question.

Run: ``python -m suites.convert.llmdrift``.
"""

from __future__ import annotations

import csv
import gzip
import io
from typing import TYPE_CHECKING

from pytest_agenteval.model.case import Case
from pytest_agenteval.model.jsonvalue import digest
from pytest_agenteval.model.recording import RecordedTrial, RecordingHeader
from pytest_agenteval.model.trajectory import AgentIdentity, Trajectory
from suites.convert.corpus import SUITES, CorpusError, corpus, needed, write_recording

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SUITE = SUITES / "llmdrift"
SOURCE = "github.com/lchen001/LLMDrift at 4938eb720aed"

SETS = {"leetcode": "LEETCODE_EASY_EVAL", "prime": "PRIME_FULL_EVAL"}
"""The sets of questions, and the source's file of each."""

SNAPSHOTS = {"gpt-4": ("gpt-4-0314", "gpt-4-0613"), "gpt-3.5-turbo": ("gpt-3.5-turbo-0301", "gpt-3.5-turbo-0613")}
"""The services, and the snapshots of March and of June that stood behind each."""

_PREFIX = "openaichat/"
_DIGEST_DIGITS = 12


def case_of(row: Mapping[str, str]) -> Case:
    """The case of a question. It refers to the question by a digest, so that a reworded one is another."""
    dataset, number = (needed(row, key, "a row of LLMDrift") for key in ("dataset", "id"))
    asked = f"sha256:{digest(needed(row, 'query', f'{dataset}/{number}'), length=_DIGEST_DIGITS)}"
    return Case(id=f"{dataset}/{number}", input={"dataset": dataset, "id": number, "query": asked}, tags=(dataset,))


def recorded_trial(row: Mapping[str, str]) -> RecordedTrial:
    """The answer as a digest, with the verdict of the paper's own rules."""
    case = case_of(row)
    return RecordedTrial(
        case=case.id,
        fingerprint=case.fingerprint,
        trajectory=Trajectory(
            output=f"sha256:{digest(row['answer'], length=_DIGEST_DIGITS)}",
            recorded={"success": usable(row) if "Directly Usable" in row else right_on_prime(row)},
        ),
    )


def usable(row: Mapping[str, str]) -> bool:
    """Whether the judge of LeetCode took the answer as it stood. Raises CorpusError where it says neither."""
    found = row["Directly Usable"]
    if found not in ("0", "1"):
        message = f"whether the answer to {row['id']} is usable is neither 0 nor 1: {found!r}"
        raise CorpusError(message)
    return found == "1"


def right_on_prime(row: Mapping[str, str]) -> bool:
    """Whether the answer's yes or no is the right one, by the published rule: a yes anywhere goes before a no.

    An answer with neither is wrong.

    >>> right_on_prime({"answer": "Not by 7: no. So 17077 is prime, [Yes].", "ref_answer": "yes"})
    True
    >>> right_on_prime({"answer": "It may be.", "ref_answer": "No"})
    False
    """
    words = [f"[{word}]" for word in row["answer"].lower().replace(",", " ").replace(".", " ").split()]
    said = next((answer for answer in ("yes", "no") for word in words if f"[{answer}]" in word), None)
    return said == row["ref_answer"].lower()


def read_rows(path: Path) -> Iterator[Mapping[str, str]]:
    """The rows of a packed CSV file."""
    return csv.DictReader(io.StringIO(gzip.decompress(path.read_bytes()).decode("utf-8"), newline=""))


def header_of(model: str) -> RecordingHeader:
    """The first line of a snapshot's recording. The snapshots were asked in one week of July: it has no date."""
    return RecordingHeader(
        agent=AgentIdentity(name=model, model=model), suite=SUITE.name, source=SOURCE, licence="Apache-2.0"
    )


def convert(source: Path, suite: Path = SUITE) -> None:
    """Write a recording for each set and snapshot."""
    for name, file in SETS.items():
        trials: dict[str, list[RecordedTrial]] = {}
        for row in read_rows(source / f"{file}.csv.gz"):
            trials.setdefault(row["model"].removeprefix(_PREFIX), []).append(recorded_trial(row))
        for model, answered in trials.items():
            write_recording(suite / "recordings" / name / f"{model}.jsonl.gz", header_of(model), answered)


if __name__ == "__main__":
    convert(corpus("llmdrift"))
