"""Which agent an item will be given, and how long that agent is up, as far as it can be known before its turn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from pytest_agenteval.pipeline.coming import Source
from pytest_agenteval.plugin.cases import JOB

OURS = frozenset({JOB, "trial", "case", "record_trial"})
_SEEN_BY_AGENTS = frozenset({"monkeypatch", "caplog", "capsys", "capsysbinary", "capfd", "capfdbinary", "recwarn"})
"""pytest's own fixtures that change what an agent meets, or hear what it says; the others it cannot notice."""

_NOT_SURE_TO_RUN = ("skip", "skipif", "xfail")
_NODES: Mapping[str, type[pytest.Collector]] = {
    "package": pytest.Package,
    "module": pytest.Module,
    "class": pytest.Class,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What the items of one test function need to be up: by what an agent is told apart from another.

    ``origin`` is the definition of the fixture ``agent``, ``params`` are the parameters of fixtures, ``nodes`` the
    classes of nodes whose end takes one of the fixtures down. ``shared`` are the fixtures that are not an item's own;
    None where an item has others than these, its parameters and ours.
    """

    origin: object
    params: tuple[str, ...]
    nodes: tuple[type[pytest.Collector], ...]
    shared: tuple[str, ...] | None


def needs_of(item: pytest.Function) -> Needs | None:
    """What the item needs, or None where it must be called in place: it needs state that is made for it alone."""
    info = getattr(item, "_fixtureinfo")  # noqa: B009  # private
    definitions: Mapping[str, Sequence[Any]] = info.name2fixturedefs
    asked = {*info.argnames}  # a fixture's own request is not the item's
    names = [name for name in item.fixturenames if name not in OURS and (name != "request" or name in asked)]
    if "trial" not in item.fixturenames or "agent" not in definitions:
        return None
    found = [(name, definitions[name][-1]) for name in names if name in definitions]
    if any(one.scope == "function" and _matters(name, one) for name, one in found):
        return None
    params = [name for name, one in found if one.scope != "function" and one.params]
    scopes = {one.scope for _, one in found}
    nodes = tuple(kind for scope, kind in _NODES.items() if scope in scopes)
    own = [name for name in names if name not in definitions or definitions[name][-1].scope == "function"]
    has_own = "record_trial" in item.fixturenames or any(
        name not in definitions or not _is_parameter(definitions[name][-1]) for name in own
    )
    shared = None if has_own else tuple(name for name in names if name not in own)
    return Needs(origin=definitions["agent"][-1], params=tuple(params), nodes=nodes, shared=shared)


def _is_parameter(definition: Any) -> bool:  # noqa: ANN401  # pytest's own type
    """Whether it is no fixture, but a plain parameter of the test."""
    return bool(getattr(definition.func, "__name__", "") == "get_direct_param_fixture_func")


def _matters(name: str, definition: Any) -> bool:  # noqa: ANN401  # pytest's own type
    """Whether an agent may notice a function-scoped fixture."""
    own = str(getattr(definition.func, "__module__", "")).startswith("_pytest.")
    return not own or name in _SEEN_BY_AGENTS or name.startswith("_xunit")


class Sources:
    """Tells the source of each item of a session, in the order in which they run."""

    def __init__(self) -> None:
        self._needs: dict[object, Needs | None] = {}
        self._visits: Counter[pytest.Collector] = Counter()

    def of(self, items: Iterable[pytest.Item]) -> dict[pytest.Item, Source]:
        """The source of each item whose agent may be called ahead of it."""
        found: dict[pytest.Item, Source] = {}
        before: frozenset[object] = frozenset()
        chains: dict[object, frozenset[object]] = {}
        for item in items:
            chain = chains.get(item.parent)
            if chain is None:
                chain = chains[item.parent] = frozenset(item.listchain()[:-1])
            for node in chain - before:
                self._visits[node] += 1  # type: ignore[index]  # all but the last of a chain are collectors
            before = chain
            source = self._source(item)
            if source is not None:
                found[item] = source
        return found

    def needs(self, item: pytest.Function) -> Needs | None:
        """What the item needs; the same for all items of a test function."""
        info = getattr(item, "_fixtureinfo")  # noqa: B009  # private
        key = (id(info), item.parent)
        if key not in self._needs:
            self._needs[key] = needs_of(item)
        return self._needs[key]

    def _source(self, item: pytest.Item) -> Source | None:
        if not isinstance(item, pytest.Function) or any(mark.name in _NOT_SURE_TO_RUN for mark in item.iter_markers()):
            return None
        needs = self.needs(item)
        if needs is None or (pytest.Class in needs.nodes and item.getparent(pytest.Class) is None):
            return None  # outside a class, what is of class scope is made for each item anew
        callspec = getattr(item, "callspec", None)
        params = tuple((name, callspec.indices.get(name)) for name in needs.params) if callspec else ()
        nodes = tuple((node, self._visits[node]) for kind in needs.nodes if (node := item.getparent(kind)) is not None)
        return needs.origin, (params, nodes)
