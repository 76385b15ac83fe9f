"""Reading a corpus, and writing the case files and recordings of a suite."""

from __future__ import annotations

import gzip
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_agenteval.errors import UsageError
from pytest_agenteval.model.codec import encode
from pytest_agenteval.model.jsonvalue import canonical, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_agenteval.model.case import Case
    from pytest_agenteval.model.recording import RecordedTrial, RecordingHeader

SUITES = Path(__file__).resolve().parents[1]
"""The folder of all suites."""

NO_FINAL_TEXT = "(no final text)"
"""The output of a run that ended without a text: a trajectory without output would be an error."""

_VARIABLE = "PYTEST_AGENTEVAL_DATA"


class CorpusError(UsageError):
    """A row of a corpus is not what its conversion counts on."""


def corpus(name: str) -> Path:
    """The folder of a corpus. Raises CorpusError where it is not there."""
    folder = Path(os.environ.get(_VARIABLE, "")) / name
    if not os.environ.get(_VARIABLE) or not folder.is_dir():
        message = f"the corpus {name!r} is not at hand; set {_VARIABLE} to the folder that holds it"
        raise CorpusError(message)
    return folder


def needed(row: Any, key: str, what: str) -> Any:  # noqa: ANN401  # a corpus holds any JSON
    """The value of ``key``; raises CorpusError where it is missing or empty: nothing can stand for it."""
    value = row.get(key)
    if value is None or value == "":
        message = f"{what} has no {key!r}, and cannot be told from another row without it"
        raise CorpusError(message)
    return value


def positive(value: float | None) -> float | None:
    """The measured value; None where the corpus has nothing, or the 0 that stands there for nothing."""
    return value if value is not None and value > 0 else None


def read_lines(path: Path) -> Iterator[Any]:
    """The rows of a file of JSON lines, gzipped or not."""
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return (parse(line) for line in text.decode("utf-8").split("\n") if line)


def write_cases(path: Path, cases: Iterable[Case]) -> None:
    """Write a case file, sorted by id, each case with its id, input, expectation and tags."""
    rows = [
        {"id": case.id, "input": case.input, "expect": case.expect, "tags": case.tags}
        for case in sorted(cases, key=lambda case: case.id)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(canonical(row) + "\n" for row in rows), encoding="utf-8", newline="\n")


def write_recording(path: Path, header: RecordingHeader, trials: Sequence[RecordedTrial]) -> None:
    """Write a recording: the header, then the trials by case and attempt; no clock goes into the bytes."""
    ordered = sorted(trials, key=lambda trial: (trial.case, trial.attempt))
    rows = [{"schema": header.schema, **encode(header)}, *map(encode, ordered)]
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", filename="", compresslevel=9, mtime=0) as file:
        file.write("".join(canonical(row) + "\n" for row in rows).encode())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(packed.getvalue())
