"""What a test file says of its agent tests, read as text: nothing of it is imported or run."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pytest_agenteval.errors import InvalidValue
from pytest_agenteval.model.case import Case
from pytest_agenteval.store.sources import PythonFile, Sources, callee

EXCUSES: Final = ("skip", "skipif", "xfail")
"""Pytest's words by which a test need not pass."""

_Test = ast.FunctionDef | ast.AsyncFunctionDef
_FIELDS: Final = ("id", "input", "expect", "tags")
_UNKNOWN: Final = None
_DEEPEST: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentTests:
    """The agent tests of one file.

    ``cases`` are those written out, ``files`` what ``load_cases`` names; ``complete`` says that its own
    tests have no others. ``repeats`` has by case id, and by name of a case file, the attempts that are made, None
    where they are not written out; under the empty text those of cases that only running the file would tell.
    ``excused`` has, by test, the marks and calls by which it need not pass.
    """

    path: str
    cases: tuple[Case, ...] = ()
    files: tuple[str, ...] = ()
    complete: bool = True
    repeats: Mapping[str, int | None] = field(default_factory=dict)
    excused: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def agent_tests(sources: Sources, path: str) -> AgentTests | None:
    """What the file declares; None where it has no agent test, or is no Python."""
    file = sources.file(path)
    if file is None:
        return None
    callees = {"agent_cases", *file.names_of("agent_cases")}
    found = [
        (owner, test, mark)
        for owner, test in _tests(file.tree)
        for mark in test.decorator_list
        if isinstance(mark, ast.Call) and callee(mark) in callees
    ]
    if not found:
        return None
    by_mark = [(_repeats(sources, file, mark), list(_all_given(sources, file, mark.args, 0))) for _, _, mark in found]
    given = [one for _, several in by_mark for one in several]
    return AgentTests(
        path=path,
        cases=tuple(one for one in given if isinstance(one, Case)),
        files=tuple(dict.fromkeys(one for one in given if isinstance(one, str))),
        complete=_UNKNOWN not in given,
        repeats=_greatest(by_mark),
        excused={
            f"{owner.name}::{test.name}" if owner else test.name: marks
            for owner, test, _ in found
            if (marks := tuple(sorted(_excuses(file.tree, owner, test))))
        },
    )


def lends_tests(sources: Sources, path: str) -> bool:
    """Whether agent tests may stand elsewhere by means of this file, or come into it from elsewhere.

    That is so where ``agent_cases`` is used otherwise than as the decorator of a test, where tests are imported,
    and of what is no Python.
    """
    file = sources.file(path)
    if file is None:
        return True
    names = {"agent_cases", *file.names_of("agent_cases")}
    marks = {
        id(mark.func) for _, test in _tests(file.tree) for mark in test.decorator_list if isinstance(mark, ast.Call)
    }
    for node in ast.walk(file.tree):
        if isinstance(node, ast.ImportFrom) and any(
            one.name == "*" or one.name[:4] in ("test", "Test") for one in node.names
        ):
            return True
        if isinstance(node, ast.Name | ast.Attribute) and callee(node) in names and id(node) not in marks:
            return True
    return False


def _tests(tree: ast.Module) -> Iterator[tuple[ast.ClassDef | None, _Test]]:
    for statement in tree.body:
        if isinstance(statement, _Test):
            yield None, statement
        elif isinstance(statement, ast.ClassDef):
            yield from ((statement, one) for one in statement.body if isinstance(one, _Test))


def _given(sources: Sources, file: PythonFile, node: ast.AST, depth: int) -> Iterator[Case | str | None]:
    """The cases and names of case files that an argument stands for; None for what only running it would tell."""
    match node:
        case _ if depth > _DEEPEST:
            yield _UNKNOWN
        case ast.Call() if callee(node) in {"Case", *file.names_of("Case")}:
            yield _case(node)
        case ast.Call(args=[ast.Constant(value=str(name))]) if callee(node) in {
            "load_cases",
            *file.names_of("load_cases"),
        }:
            yield name
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            yield from _all_given(sources, file, parts, depth)
        case ast.Starred(value=inner):
            yield from _given(sources, file, inner, depth + 1)
        case ast.BinOp(op=ast.Add()):
            yield from _all_given(sources, file, [node.left, node.right], depth)
        case ast.Name(id=name):
            yield from _behind_name(sources, file, name, depth)
        case _:
            yield _UNKNOWN


def _all_given(sources: Sources, file: PythonFile, nodes: Iterable[ast.AST], depth: int) -> Iterator[Case | str | None]:
    for node in nodes:
        yield from _given(sources, file, node, depth + 1)


def _behind_name(sources: Sources, file: PythonFile, name: str, depth: int) -> Iterator[Case | str | None]:
    statements = file.bindings.get(name, [])
    if imported := sources.imported(file, name):
        yield from _behind_name(sources, *imported, depth + 1)
    elif len(statements) == 1 and isinstance(statements[0], ast.Assign | ast.AnnAssign) and statements[0].value:
        yield from _given(sources, file, statements[0].value, depth + 1)
    else:
        yield _UNKNOWN


def _case(call: ast.Call) -> Case | None:
    try:
        fields: dict[str, Any] = {
            word.arg: ast.literal_eval(word.value) for word in call.keywords if word.arg in _FIELDS
        }
        return Case(**fields)
    except (ValueError, TypeError, SyntaxError, InvalidValue):
        return _UNKNOWN


def _repeats(sources: Sources, file: PythonFile, mark: ast.Call) -> int | None:
    words = {word.arg: word.value for word in mark.keywords}
    if "repeats" not in words:
        return 1
    found = (_constant(sources, file, words[name], 0) for name in ("repeats", "max_repeats") if name in words)
    return next((one for one in found if isinstance(one, int)), None)


def _constant(sources: Sources, file: PythonFile, node: ast.AST, depth: int) -> object:
    """The value that is written out, or that a name of a module stands for; None where only running would tell."""
    if isinstance(node, ast.Name) and depth < _DEEPEST:
        if imported := sources.imported(file, node.id):
            return _constant(sources, imported[0], ast.Name(id=imported[1]), depth + 1)
        statements = file.bindings.get(node.id, [])
        if len(statements) == 1 and isinstance(statements[0], ast.Assign | ast.AnnAssign) and statements[0].value:
            return _constant(sources, file, statements[0].value, depth + 1)
    return node.value if isinstance(node, ast.Constant) else None


def _greatest(by_mark: Iterable[tuple[int | None, Iterable[Case | str | None]]]) -> dict[str, int | None]:
    """The attempts at each case: of several tests that have it, the greatest number; of unknown cases the least."""
    found: dict[str, list[int | None]] = {}
    for attempts, given in by_mark:
        for one in given:
            found.setdefault(one.id if isinstance(one, Case) else one or "", []).append(attempts)
    return {
        name: None if None in several else (max if name else min)(one or 1 for one in several)
        for name, several in found.items()
    }


def _excuses(tree: ast.Module, owner: ast.ClassDef | None, test: _Test) -> set[str]:
    """The marks on the test, on its class, those of the whole module; and what its body calls."""
    marks = [*test.decorator_list, *(owner.decorator_list if owner else ())]
    for body in (tree.body, owner.body if owner else []):
        marks += [
            node
            for statement in body
            if isinstance(statement, ast.Assign) and "pytestmark" in {callee(one) for one in statement.targets}
            for node in ast.walk(statement.value)
            if isinstance(node, ast.Attribute)
        ]
    called = [node for node in ast.walk(test) if isinstance(node, ast.Call)]
    return {callee(mark) for mark in (*marks, *called)} & set(EXCUSES)
