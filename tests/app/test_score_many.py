"""Recorded outputs are scored in bulk, whatever they lie in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pytest_agenteval import score_many
from pytest_agenteval.errors import MetricError
from pytest_agenteval.metrics import pass_at_k

if TYPE_CHECKING:
    from pathlib import Path

ROWS = [
    {"id": f"case-{place}", "output": '{"a": 1}' if place < 90 else '{"a": 1', "due": '{"a": 1}', "confidence": 0.9}
    for place in range(100)
]


def test_a_file_and_rows_give_the_same(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in ROWS) + "{\n")
    fields = {"expect.output": "due"}
    found = score_many(path, ["exact", "json_valid", "contains"], fields=fields)
    there = score_many(iter(ROWS), ["exact", "json_valid", "contains"], fields=fields)
    assert {name: dict(scores) for name, scores in found.items()} == {name: dict(one) for name, one in there.items()}
    assert (found["exact"].mean, found["json_valid"].mean, found["contains"].mean) == (0.9, 0.9, None)
    assert list(found.refused) == [101]


def test_an_estimate_has_the_interval_of_as_many_cases() -> None:
    found = score_many(ROWS, ["exact", pass_at_k(2, of="exact"), "ece"], fields={"expect.output": "due"})
    estimate = found.estimate("exact")
    assert (estimate.n, estimate.value, estimate.method) == (100, 0.9, "wilson")
    assert (round(estimate.low or 0, 4), round(estimate.high or 0, 4)) == (0.8256, 0.9448)
    assert (found.estimate("exact_pass_at_2").n, found.estimate("exact_pass_at_2").n_not_evaluated) == (0, 100)
    assert found.estimate("ece").value == pytest.approx(0.0)


def test_a_metric_named_twice_or_not_known_is_refused() -> None:
    with pytest.raises(MetricError, match="two metrics are named 'exact'"):
        score_many([], ["exact", "exact"])
    with pytest.raises(MetricError, match="there is no built-in metric 'exactt'; did you mean 'exact'"):
        score_many([], ["exactt"])


def test_what_was_found_says_itself() -> None:
    found = score_many([{"output": "4"}, 7], ["json_valid"])  # type: ignore[list-item]  # what is no row
    assert repr(found) == "BulkScores([Scores(json_valid: n=1, mean=1.0)], refused=1)"
    assert (len(found), len(found["json_valid"])) == (1, 1)
