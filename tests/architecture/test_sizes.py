"""Modules and functions stay small enough to be read at one sitting."""

from __future__ import annotations

from statistics import median, quantiles

import pytest

from tests.architecture.source import MODULES, Function, Module

FUNCTIONS = {f"{module}:{node.lineno} {node.name}": node for module in MODULES for node in module.functions}


def lines_of(function: Function) -> int:
    """Lines from `def` to the end, docstring included, decorators not."""
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1


LENGTHS = [lines_of(function) for function in FUNCTIONS.values()]


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_module_has_at_most_400_lines(module: Module) -> None:
    assert len(module.source.splitlines()) <= 400


def test_half_of_the_functions_have_at_most_12_lines() -> None:
    assert median(LENGTHS) <= 12


def test_nine_in_ten_functions_have_at_most_30_lines() -> None:
    assert quantiles(LENGTHS, n=10)[-1] <= 30


def test_no_function_has_more_than_60_lines() -> None:
    assert not [name for name, function in FUNCTIONS.items() if lines_of(function) > 60]


def test_the_docstring_counts_and_the_decorator_does_not() -> None:
    source = '@cache\ndef one() -> int:\n    """Say one."""\n    return 1\n'
    [function] = Module(name="sketch", source=source).functions
    assert lines_of(function) == 3
