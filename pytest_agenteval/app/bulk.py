"""Recorded outputs scored in bulk, without a trial of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_agenteval.contracts import Metric
from pytest_agenteval.errors import MetricError
from pytest_agenteval.metrics import built_in_metric
from pytest_agenteval.metrics.bulk import Bulk, Scores, Taken
from pytest_agenteval.model.estimate import Estimate
from pytest_agenteval.store.rows import given_rows, read_rows


class BulkScores(Mapping[str, Scores]):
    """By the name of each metric its scores of the rows; ``refused`` says by number which lines were no rows."""

    def __init__(self, taken: Taken) -> None:
        self._scores = taken.scores
        self.refused = taken.refused

    def __getitem__(self, metric: str) -> Scores:
        return self._scores[metric]

    def __iter__(self) -> Iterator[str]:
        return iter(self._scores)

    def __len__(self) -> int:
        return len(self._scores)

    def __repr__(self) -> str:
        return f"BulkScores({list(self._scores.values())}, refused={len(self.refused)})"

    def estimate(self, metric: str) -> Estimate:
        """The metric's value over all rows with its 95 % interval, each row a case."""
        from pytest_agenteval.pipeline.aggregate import estimate_of

        scores = self[metric]
        return estimate_of(scores.spec, scores.numbers, len(scores) - scores.n, scores.whole)


def score_many(
    rows: str | Path | Iterable[Mapping[str, Any]],
    metrics: Iterable[Metric | str],
    *,
    fields: Mapping[str, str] | None = None,
) -> BulkScores:
    """Score recorded outputs: a file of JSON lines, or rows that are there already, read as they come.

    A row is an object with an ``output``, and with ``id``, ``input``, ``expect``, ``confidence``, ``seconds`` and
    ``recorded`` as it has them; without an id its number stands for it. ``fields`` names keys that are called
    otherwise. ``metrics`` are metrics, or names of built-in ones; what they say of a row is what they say of its trial.
    Lines that are no rows are named in ``refused``. Raises MetricError, and InvalidValue where the file cannot be read.

    >>> found = score_many(
    ...     [{"id": "a", "output": "4", "due": "4"}, {"id": "b", "output": "5", "due": "4"}, {"id": "c", "output": ""}],
    ...     metrics=["exact"],
    ...     fields={"expect.output": "due"},
    ... )
    >>> found["exact"].n, found["exact"].mean, found["exact"]["b"].value
    (3, 0.3333333333333333, 0.0)
    """
    bulk = Bulk(_once([built_in_metric(one) if isinstance(one, str) else one for one in metrics]), fields or {})
    blocks = read_rows(Path(rows)) if isinstance(rows, str | Path) else given_rows(rows)
    for block in blocks:
        bulk.take(block.numbers, block.rows, block.refused)
    return BulkScores(bulk.result())


def _once(metrics: list[Metric]) -> list[Metric]:
    names = [metric.spec.name for metric in metrics]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        message = f"two metrics are named {twice[0]!r}: name each once, or rename one"
        raise MetricError(message)
    return metrics
