"""The committed recordings as the model reads them, and the figures that they have to give."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pytest_agenteval.model.case import Case
from pytest_agenteval.model.codec import decode
from pytest_agenteval.model.jsonvalue import parse
from pytest_agenteval.model.recording import RecordedTrial, RecordingHeader
from suites.convert.corpus import SUITES

# Transcribed from the corpora's EXPECTED.md; the figures stay texts, so that each digit counts.
EXPECTED = json.loads(Path(__file__).with_name("expected.json").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Recording:
    header: RecordingHeader
    trials: tuple[RecordedTrial, ...]

    @property
    def success(self) -> dict[str, bool]:
        """Case id to verdict, where there is one attempt a case."""
        assert len({trial.case for trial in self.trials}) == len(self.trials)
        return {trial.case: found(trial, "success") for trial in self.trials}


def found(trial: RecordedTrial, key: str) -> Any:
    """What the benchmark found of the trial."""
    return trial.trajectory.recorded[key]


@cache
def recording(suite: str, name: str) -> Recording:
    text = gzip.decompress((SUITES / suite / "recordings" / f"{name}.jsonl.gz").read_bytes()).decode()
    header, *rows = text.removesuffix("\n").split("\n")
    return Recording(
        header=decode(RecordingHeader, parse(header)),
        trials=tuple(decode(RecordedTrial, parse(row), where=name) for row in rows),
    )


@cache
def cases(suite: str, file: str) -> dict[str, Case]:
    lines = (SUITES / suite / "cases" / f"{file}.jsonl").read_text(encoding="utf-8").removesuffix("\n").split("\n")
    return {case.id: case for case in (decode(Case, parse(line)) for line in lines)}


def calls(trial: RecordedTrial) -> list[str]:
    """The names of the agent's tool calls, in order."""
    return [step.name for step in trial.trajectory.calls]


def gold(trial: RecordedTrial, suite: str, file: str) -> list[str]:
    """The names of the expected calls: of the wording that the agent was asked in."""
    expect: Any = cases(suite, file)[trial.case].expect if trial.expect is None else trial.expect
    return list(expect["calls"])


def is_subsequence(wanted: list[str], of: list[str]) -> bool:
    rest = iter(of)
    return all(name in rest for name in wanted)


def discordant(first: dict[str, bool], second: dict[str, bool]) -> tuple[int, int]:
    """Cases that only the first solves, and that only the second does; both have the same cases."""
    assert first.keys() == second.keys()
    lost = sum(passed and not second[case] for case, passed in first.items())
    return lost, sum(passed and not first[case] for case, passed in second.items())


def share(flags: list[bool]) -> str:
    return f"{sum(flags) / len(flags):.4f}"
