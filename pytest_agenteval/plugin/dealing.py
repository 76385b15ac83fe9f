"""A shard of a run: the cases of the other shards are left out of this session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from pytest_agenteval.app.runs import Job, Plan, Shard
from pytest_agenteval.model.jsonvalue import digest
from pytest_agenteval.pipeline.words import counted


def keep_own(
    config: pytest.Config, items: list[pytest.Item], jobs: Mapping[str, Job], plan: Plan, shard: Shard
) -> Plan:
    """Deselect what other shards run; gives the plan of the whole run, of which no shard can look again.

    ``jobs`` are those of all items, by node id. Tests without a case run in the first shard.
    """
    own = shard.cases(_cases(plan))

    def is_own(item: pytest.Item) -> bool:
        job = jobs.get(item.nodeid)
        return shard.number == 1 if job is None else (job.suite, job.case.id) in own

    others = [item for item in items if not is_own(item)]
    if others:
        items[:] = [item for item in items if is_own(item)]
        config.hook.pytest_deselected(items=others)
    asked = sorted({(job.suite, job.case.id, job.case.fingerprint) for job in jobs.values()})
    return replace(plan, looks_again=(), cases_digest=digest([list(one) for one in asked]))


def shard_line(plan: Plan, shard: Shard) -> str:
    """What this session runs of how much."""
    cases = _cases(plan)
    return f"{shard}: {len(shard.cases(cases))} of {counted(len(cases), 'case')}, judged by pytest-agenteval merge"


def _cases(plan: Plan) -> set[tuple[str, str]]:
    return {(suite, case) for suite, case, _ in plan.planned}
