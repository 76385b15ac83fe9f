"""From marked tests to jobs: which cases, which attempts, which suite, which agent's parameter."""

from __future__ import annotations

import inspect
import unittest
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from pytest_agenteval.app.settings import Settings
from pytest_agenteval.errors import CaseError
from pytest_agenteval.model.case import Case
from pytest_agenteval.plugin.cases import JOB, AgentCases, CaseFile
from pytest_agenteval.store.casefiles import PlacedCase, read_cases, refuse_twins

OURS = ("trial", "case")


def mark_of(item: pytest.Item | pytest.Metafunc) -> AgentCases | None:
    """What the test's ``agent_cases`` says, or None where it has none."""
    node = item.definition if isinstance(item, pytest.Metafunc) else item
    marker = node.get_closest_marker("agent_cases")
    if marker is None:
        return None
    if len(marker.args) != 1 or not isinstance(marker.args[0], AgentCases):
        message = f"{node.nodeid}: use the decorator @agent_cases(…) and not the marker of that name"
        raise CaseError(message)
    return marker.args[0]


class CaseReader:
    """Finds and reads case files, each once, and sees to it that ids are unique in a suite."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._files: dict[tuple[Path, str], list[PlacedCase]] = {}
        self._of_suite: dict[str, dict[str, PlacedCase]] = {}

    def suite_of(self, test_file: Path) -> str:
        """The suite of a test file: its folder under the suites' folder, else its own name."""
        folder = self._settings.path("suite_folder").resolve()
        if test_file.is_relative_to(folder) and test_file.parent != folder:
            return test_file.relative_to(folder).parts[0]
        # Elsewhere a file is a suite of its own; its folders tell it from another of the same name.
        root = Path(self._settings.root).resolve()
        folders = test_file.parent.relative_to(root).parts if test_file.is_relative_to(root) else ()
        return ".".join((*folders, test_file.stem.removeprefix("test_")))

    def cases(self, mark: AgentCases, test_file: Path, place: str) -> list[Case]:
        """The cases of a test in their order. Raises CaseError naming both places of a twin."""
        suite = self.suite_of(test_file)
        placed = []
        for source in mark.sources:
            if isinstance(source, CaseFile):
                placed += self._read(source, test_file, suite)
            else:
                placed.append(PlacedCase(case=replace(source, suite=suite), place=place))
        if not placed:
            message = f"{place}: @agent_cases has no case: give Case(…) or load_cases('file.jsonl')"
            raise CaseError(message)
        refuse_twins(placed)
        known = self._of_suite.setdefault(suite, {})
        for one in placed:
            before = known.setdefault(one.case.id, one)
            if before.case != one.case:
                refuse_twins([before, one])
        refuse_twins(list(known.values()))
        return [one.case for one in placed]

    def _read(self, source: CaseFile, test_file: Path, suite: str) -> list[PlacedCase]:
        beside = [test_file.parent / source.name, test_file.parent / "cases" / source.name]
        in_suite = self._settings.path("suite_folder").resolve() / suite / "cases" / source.name
        places = list(dict.fromkeys([*beside, in_suite]))
        found = [path for path in places if path.is_file()]
        if len(found) > 1:
            message = f"load_cases({source.name!r}) is ambiguous: {found[0]} and {found[1]} both exist. Remove one"
            raise CaseError(message)
        if not found:
            looked = " and ".join(str(path) for path in places)
            message = f"load_cases({source.name!r}) in {test_file}: no such file; looked for {looked}"
            raise CaseError(message)
        key = (found[0], suite)
        if key not in self._files:
            self._files[key] = read_cases(found[0], suite)
        return self._files[key]


def parametrise(metafunc: pytest.Metafunc, mark: AgentCases, cases: Sequence[Case], repeats: int) -> None:
    """One item an attempt, round by round; the id is the case's, with -rN where there are several."""
    rounds = [(case, attempt) for attempt in range(1, repeats + 1) for case in cases]
    ids = [f"{case.id}-r{attempt}" if repeats > 1 else case.id for case, attempt in rounds]
    metafunc.parametrize(JOB, rounds, ids=ids, indirect=True)


def in_rounds(items: list[pytest.Item], attempts: Mapping[pytest.Item, tuple[str, int]]) -> None:
    """Put the items of these suites into the order of their attempts, in the places that they have.

    Only among the items of one module or class: its fixtures then go up and down no more often.
    """
    places: dict[tuple[str, pytest.Collector | None], list[int]] = {}
    for place, item in enumerate(items):
        if item in attempts:
            places.setdefault((attempts[item][0], item.parent), []).append(place)
    for those in places.values():
        ordered = sorted((items[place] for place in those), key=lambda item: attempts[item][1])
        for place, item in zip(those, ordered, strict=True):
            items[place] = item


def refuse_misuse(metafunc: pytest.Metafunc) -> None:
    """A user's own fixture or parameter named trial or case is refused."""
    where = place_of(metafunc.definition)
    for mark in metafunc.definition.iter_markers("parametrize"):
        names = mark.args[0] if mark.args else mark.kwargs.get("argnames", "")
        taken = names.replace(",", " ").split() if isinstance(names, str) else list(names)
        for name in set(taken) & set(OURS):
            message = (
                f"{where}: the parameter {name!r} of @pytest.mark.parametrize hides the fixture of "
                f"@agent_cases. Rename it"
            )
            raise CaseError(message)
    for name in OURS:
        for definition in _fixture_definitions(metafunc.definition, name):
            function = definition.func
            if not function.__module__.startswith("pytest_agenteval."):
                code = inspect.unwrap(function).__code__
                message = (
                    f"{where}: your fixture {name!r} at {code.co_filename}:{code.co_firstlineno} hides that of "
                    f"@agent_cases. Rename your fixture"
                )
                raise CaseError(message)


def refuse_unittest(item: pytest.Function) -> None:
    """Pytest makes no parameters for methods of unittest."""
    if item.cls is not None and issubclass(item.cls, unittest.TestCase):
        message = (
            f"{place_of(item)}: @agent_cases cannot decorate a method of unittest.TestCase, which takes no fixtures; "
            f"use a plain class"
        )
        raise CaseError(message)


def agent_definition(item: pytest.Function) -> object:
    """What tells the agents of two items apart: the fixture definition that the item is given, if any."""
    return next(reversed(_fixture_definitions(item, "agent")), None)


def agent_parameters(item: pytest.Function) -> str:
    """'[gpt]' for an agent that is parametrised, itself or through a fixture below it, else the empty text."""
    callspec = getattr(item, "callspec", None)
    if callspec is None:
        return ""
    names = sorted(_closure(item, "agent") & callspec.params.keys())
    words = [_word(item, name, callspec) for name in names]
    return f"[{'-'.join(words)}]" if words else ""


def place_of(node: pytest.Item | Any) -> str:  # noqa: ANN401  # pytest's FunctionDefinition is private
    """file:line of a test."""
    path, line, _ = node.location
    return f"{path}:{(line or 0) + 1}"


def project_folder(config: pytest.Config) -> Path:
    """Where the search for the project begins: where pytest was typed, if that lies in its root, else the root.

    In a repository of several projects pytest's root may be a folder above all of them.
    """
    typed = config.invocation_params.dir
    return typed if typed.is_relative_to(config.rootpath) else config.rootpath


def named_paths(config: pytest.Config, root: Path) -> tuple[str, ...]:
    """The paths, from the project's root, that the command line itself names, or the folder in which it was typed.

    None where pytest's settings say what to run: these are the project's own, and a change may edit them.
    """
    typed = config.invocation_params
    if config.args and all(argument in typed.args for argument in config.args):
        named = [typed.dir / argument.partition("::")[0] for argument in config.args]
    else:
        named = [typed.dir]
    real = root.resolve()
    places = [path.resolve() for path in named]
    inside = [path for path in places if path.is_relative_to(real) and path != real]
    return tuple(path.relative_to(real).as_posix() for path in inside) if len(inside) == len(places) else ()


def asked_for_items(config: pytest.Config) -> bool:
    """Whether the user wants to see items without running agents: --collect-only, a node id, or -k."""
    return bool(config.option.collectonly or config.option.keyword or any("::" in arg for arg in config.args))


def unread_files(read: Container[Path], config: pytest.Config, folder: Path) -> list[Path]:
    """Test files of a suite's folder that pytest was not told to read: then only a part of it runs."""
    avoided = config.getini("norecursedirs")
    found = {path for pattern in config.getini("python_files") for path in folder.rglob(pattern)}
    return sorted(
        path
        for path in found
        if path not in read
        and not any(fnmatch(part, one) for part in path.relative_to(folder).parts[:-1] for one in avoided)
    )


def _fixture_definitions(node: Any, name: str) -> Sequence[Any]:  # noqa: ANN401  # pytest's own types are private
    info = getattr(node, "_fixtureinfo", None)
    return info.name2fixturedefs.get(name, ()) if info else ()


def _closure(item: pytest.Function, name: str) -> set[str]:
    """The fixture and all fixtures below it."""
    found: set[str] = set()
    todo = [name]
    while todo:
        current = todo.pop()
        if current not in found:
            found.add(current)
            todo += [below for one in _fixture_definitions(item, current) for below in one.argnames]
    return found


def _word(item: pytest.Function, name: str, callspec: Any) -> str:  # noqa: ANN401  # pytest's own
    """The name of a parameter's value: the id its fixture gives it, else the value's own."""
    value, index = callspec.params[name], callspec.indices.get(name, 0)
    given = _id_given(_fixture_definitions(item, name), value, index)
    if given is not None:
        return given
    if isinstance(value, str | int | float | bool):
        return str(value)
    return str(getattr(value, "__name__", f"{name}{index}"))


def _id_given(definitions: Sequence[Any], value: object, index: int) -> str | None:
    """The id of pytest.param(…, id=…), or of ids= of the fixture."""
    params = (definitions[-1].params if definitions else None) or ()
    if index >= len(params):
        return None
    own = getattr(params[index], "id", None) if hasattr(params[index], "values") else None
    if isinstance(own, str):
        return own
    ids = definitions[-1].ids
    found = ids(value) if callable(ids) else ids[index] if ids else None
    return None if found is None else str(found)
