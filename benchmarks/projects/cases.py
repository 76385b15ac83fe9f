"""The work's cases as our plugin takes them."""

from __future__ import annotations

from benchmarks.work import Work
from pytest_agenteval import Case

METRICS = ("exact", "contains", "json_valid")


def cases(work: Work) -> list[Case]:
    """The cases of the work."""
    return [
        Case(id=case.id, input=case.input, expect={"output": case.output, "contains": case.needle})
        for case in work.cases
    ]
