"""Writing recordings: what replay reads, the same bytes for the same trials."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

from pytest_agenteval.errors import RecordingError
from pytest_agenteval.model.codec import encode
from pytest_agenteval.model.jsonvalue import canonical
from pytest_agenteval.model.recording import RECORDING_SCHEMA, RecordedTrial, RecordingHeader
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.store.files import gzipped, write_atomically
from pytest_agenteval.store.redaction import SafeTrial


def write_recording(path: Path, header: RecordingHeader, trials: Iterable[SafeTrial]) -> None:
    """Write a recording of one suite's trials, compressed where the name ends in ``.gz``.

    Raises RecordingError for another kind of name, a trial of another suite, or two trials that are the
    same attempt at the same case.
    """
    if not path.name.endswith((".jsonl", ".jsonl.gz")):
        message = f"a recording's name ends in .jsonl or .jsonl.gz, not as {path.name!r} does"
        raise RecordingError(message)
    ordered = sorted(trials, key=lambda trial: trial.key)
    _refuse_mixture(path, header, ordered)
    head = encode(header) | {"schema": RECORDING_SCHEMA}  # written out although it is the default
    rows = [head, *(encode(_recorded(trial)) for trial in ordered)]
    content = "".join(f"{canonical(row)}\n" for row in rows).encode()
    write_atomically(path, gzipped(content) if path.name.endswith(".gz") else content)


def _recorded(trial: Trial) -> RecordedTrial:
    return RecordedTrial(
        case=trial.case.id,
        attempt=trial.attempt,
        fingerprint=trial.case_fingerprint,
        trajectory=trial.trajectory,
        at=trial.at,
    )


def _refuse_mixture(path: Path, header: RecordingHeader, ordered: list[SafeTrial]) -> None:
    if other := next((trial for trial in ordered if trial.case.suite != header.suite), None):
        message = (
            f"{path} records suite {header.suite!r}, and the trial of case {other.case.id!r} is of suite "
            f"{other.case.suite!r}. Write a recording for each suite"
        )
        raise RecordingError(message)
    for one, next_one in pairwise(ordered):
        if one.key == next_one.key:
            message = (
                f"{path} would hold attempt {one.attempt} of case {one.case.id!r} twice. "
                "Record the trials of one run, and of one agent"
            )
            raise RecordingError(message)
