"""What is slow to load is loaded by the function that needs it, and by few rooms."""

from __future__ import annotations

import pytest

from tests.architecture.source import IN_ROOMS, Module

HEAVY = ("jinja2", "pandas", "scipy.stats")
MAY_LOAD_HEAVY = ("production", "report", "stats", "store.history")
MAY_LOAD_NUMPY_AT_ONCE = ("stats",)


def below(names: set[str], roots: tuple[str, ...]) -> set[str]:
    return {name for name in names for root in roots if name == root or name.startswith(f"{root}.")}


def is_in(module: Module, rooms: tuple[str, ...]) -> bool:
    return bool(below({module.name.partition(".")[2]}, rooms))


@pytest.mark.parametrize("module", IN_ROOMS, ids=str)
def test_no_module_loads_a_heavy_library_when_it_is_imported(module: Module) -> None:
    assert not below(module.imports_when_loaded, HEAVY)


@pytest.mark.parametrize("module", IN_ROOMS, ids=str)
def test_heavy_libraries_are_used_by_the_rooms_that_compute_and_render_alone(module: Module) -> None:
    assert is_in(module, MAY_LOAD_HEAVY) or not below(module.imports, HEAVY)


@pytest.mark.parametrize("module", IN_ROOMS, ids=str)
def test_only_statistics_load_numpy_and_scipy_when_imported(module: Module) -> None:
    assert is_in(module, MAY_LOAD_NUMPY_AT_ONCE) or not below(module.imports_when_loaded, ("numpy", "scipy"))


@pytest.mark.parametrize(
    "source",
    [
        "import pandas as pd",
        "from scipy import stats",
        "from scipy.stats import norm",
        "try:\n    import jinja2\nexcept ImportError:\n    pass",
        "class Page:\n    import jinja2",
        "if TYPE_CHECKING:\n    pass\nelse:\n    import pandas",
    ],
)
def test_a_heavy_import_at_module_level_is_seen(source: str) -> None:
    assert below(Module(name="sketch", source=source).imports_when_loaded, HEAVY)


@pytest.mark.parametrize(
    "source",
    [
        "def late():\n    import pandas",
        "async def late():\n    from scipy import stats",
        "if TYPE_CHECKING:\n    import pandas",
        "if typing.TYPE_CHECKING:\n    from jinja2 import Environment",
        "from scipy import special",
    ],
)
def test_an_import_that_costs_nothing_when_loaded_is_let_through(source: str) -> None:
    assert not below(Module(name="sketch", source=source).imports_when_loaded, HEAVY)
