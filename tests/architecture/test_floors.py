"""A room imports only from the floors below its own."""

from __future__ import annotations

import pytest

from tests.architecture.source import FLOOR, IN_ROOMS, MODULES, PACKAGE, Module

OUTSIDE = "(the package itself)"


def rooms_imported_by(module: Module) -> set[str]:
    """Other rooms that a module names; a public name taken from the package itself counts as OUTSIDE."""
    ours = [name.split(".") for name in module.imports if name.split(".")[0] == PACKAGE]
    rooms = {parts[1] if len(parts) > 1 and parts[1] in FLOOR else OUTSIDE for parts in ours}
    return rooms - {module.room}


def may_import(module: Module, room: str) -> bool:
    # Not by the floors alone: `pipeline` joins values and statistics, so that values stay free of them.
    if (module.room, room) == ("model", "stats"):
        return False
    return room in FLOOR and FLOOR[room] < FLOOR[module.room]


def test_the_rooms_that_everything_stands_on_are_found() -> None:
    assert {module.room for module in IN_ROOMS} >= {"errors", "model", "stats", "plugin", "cli"}


def test_every_module_is_in_a_room_that_has_a_floor() -> None:
    assert {module.room for module in IN_ROOMS} <= set(FLOOR)


@pytest.mark.parametrize("module", IN_ROOMS, ids=str)
def test_a_room_imports_only_from_floors_below(module: Module) -> None:
    wrong = sorted(room for room in rooms_imported_by(module) if not may_import(module, room))
    assert not wrong, f"{module.room} may not import {wrong}: see FLOOR in tests/architecture/source.py"


@pytest.mark.parametrize("module", [module for module in IN_ROOMS if module.room != "plugin"], ids=str)
def test_only_the_plugin_imports_pytest(module: Module) -> None:
    assert not {name for name in module.imports if name.split(".")[0] in {"pytest", "_pytest"}}


@pytest.mark.parametrize("module", IN_ROOMS, ids=str)
def test_modules_of_production_do_not_import_each_other(module: Module) -> None:
    peers = {name for name in module.imports if name.startswith(f"{PACKAGE}.production.")}
    assert module.room != "production" or not peers


def test_the_package_itself_loads_nothing_but_typing() -> None:
    [package] = [module for module in MODULES if not module.room]
    assert {name.split(".")[0] for name in package.imports_when_loaded} <= {"__future__", "typing"}


@pytest.mark.parametrize(
    ("room", "line"),
    [
        ("stats", "from pytest_agenteval.model import case"),
        ("model", "import pytest_agenteval.stats.interval"),
        ("metrics", "from pytest_agenteval import agents"),
        ("metrics", "from ..agents import connect"),
        ("store", "from .. import pipeline"),
        ("store", "def late():\n    from pytest_agenteval.report import weeks"),
        ("store", "if TYPE_CHECKING:\n    from pytest_agenteval.app import settings"),
        ("report", "importlib.import_module('pytest_agenteval.web.page')"),
        ("cli", "from pytest_agenteval import Case"),
        ("cli", "import pytest_agenteval"),
    ],
)
def test_an_import_that_the_floors_forbid_is_seen(room: str, line: str) -> None:
    module = Module(name=f"{PACKAGE}.{room}.sketch", source=line)
    assert [name for name in rooms_imported_by(module) if not may_import(module, name)]


def test_an_import_that_the_floors_allow_is_let_through() -> None:
    source = "from pytest_agenteval.stats import interval\nfrom .score import score\nfrom . import compare"
    module = Module(name=f"{PACKAGE}.pipeline.sketch", source=source)
    assert {room: may_import(module, room) for room in rooms_imported_by(module)} == {"stats": True}
