"""Without ``--agent-eval``: agent tests are skipped, and their cases read only for who asks for items."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from pytest_agenteval.errors import AgentEvalError
from pytest_agenteval.plugin.collect import CaseReader, asked_for_items, mark_of, parametrise, project_folder

_READER = pytest.StashKey[CaseReader]()


def generate(metafunc: pytest.Metafunc) -> None:
    """Make the items of an agent test where they are asked for; a wrong file is then a collection error."""
    mark = mark_of(metafunc)
    if mark is None or not asked_for_items(metafunc.config):
        return
    from pytest_agenteval.app.settings import load_settings

    stash = metafunc.config.stash
    try:
        if _READER not in stash:
            stash[_READER] = CaseReader(load_settings(project_folder(metafunc.config)))
        cases = stash[_READER].cases(mark, metafunc.definition.path, metafunc.definition.nodeid)
    except AgentEvalError as error:
        raise pytest.UsageError(str(error)) from None
    parametrise(metafunc, mark, cases, mark.repeats)


def skip(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip each agent test with the command that runs it; one item a function, unless items are asked for."""
    if not asked_for_items(config):
        items[:] = _one_a_function(items)
    for item in items:
        if item.get_closest_marker("agent_cases") is not None:
            reason = f"an agent test: run it with pytest --agent-eval {item.location[0]}"
            item.add_marker(pytest.mark.skip(reason=reason))


def _one_a_function(items: Sequence[pytest.Item]) -> Iterator[pytest.Item]:
    seen = set()
    for item in items:
        function = (item.parent, getattr(item, "originalname", item.name))
        if item.get_closest_marker("agent_cases") is None or function not in seen:
            seen.add(function)
            yield item
