"""Python files read as syntax trees: what a metric's function reaches, and one digest of all that."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from pytest_agenteval.model.jsonvalue import digest

Read = Callable[[str], str | None]
"""Gives the text of a file by its path from the project's root, or None where there is none."""

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_FILE_NAME: Final = re.compile(r"[\w][\w./ -]{0,150}\.[A-Za-z][\w]{0,9}\Z")


@dataclass(frozen=True)
class PythonFile:
    """A Python file: its path, its tree, and by name the statements of the module that bind the name."""

    path: str
    tree: ast.Module

    @cached_property
    def bindings(self) -> Mapping[str, list[ast.stmt]]:
        """By name the module's statements that bind it, change it, or may do so."""
        found: dict[str, list[ast.stmt]] = {}
        for statement in self.tree.body:
            for name in dict.fromkeys(_bound_by(statement)):
                found.setdefault(name, []).append(statement)
        return found

    @cached_property
    def metrics(self) -> Mapping[str, str]:
        """By the name of a metric that ``metric`` makes here the module's name that leads to it."""
        callees = {"metric", *self.names_of("metric")}
        found: dict[str, str] = {}
        for statement in self.tree.body:
            bound = next(_bound_by(statement), "")
            for node in ast.walk(statement):
                if name := _metric_made_by(node, callees):
                    found.setdefault(name, bound)
        return found

    def names_of(self, imported: str) -> set[str]:
        """The names under which something of that name is imported here."""
        several = [node for node in ast.walk(self.tree) if isinstance(node, ast.ImportFrom)]
        return {one.asname or one.name for node in several for one in node.names if one.name == imported}


class Sources:
    """The Python files of one tree, each parsed once.

    ``roots`` are the folders, beside ``src``, from which modules are imported wherever the importing file lies.
    """

    def __init__(self, read: Read, roots: Iterable[str] = ()) -> None:
        self._read = read
        self._roots = tuple(dict.fromkeys(posixpath.normpath(one) for one in (*roots, "src")))
        self._files: dict[str, PythonFile | None] = {}

    def file(self, path: str) -> PythonFile | None:
        """The file, or None where there is none, or none that Python could read."""
        if path not in self._files:
            text = self._read(path)
            try:
                tree = None if text is None else ast.parse(text)
            except (SyntaxError, ValueError, RecursionError):
                tree = None
            self._files[path] = None if tree is None else PythonFile(path=path, tree=tree)
        return self._files[path]

    def metric_digest(self, path: str, metric: str) -> str | None:
        """A digest of the metric's function and of what it reaches; of the whole file where it is not found.

        Reached are names of the module, those imported from other files of the project, and the text of files
        that are named there. Comments, docstrings, layout and the files' places do not count. None: no file.
        """
        file = self.file(path)
        if file is None:
            return None
        start = [file.metrics[metric]] if metric in file.metrics else list(file.bindings)
        return digest(list(self._reached(file, start)))

    def imported(self, file: PythonFile, name: str) -> tuple[PythonFile, str] | None:
        """The file of the project, and the name in it, that an imported name stands for."""
        for statement in file.bindings.get(name, ()):
            for alias, module in _imports(statement, file.path):
                if (alias.asname or alias.name) == name and (found := self._module(module, file.path)):
                    return found, alias.name
        return None

    def with_imported(self, paths: Iterable[str]) -> tuple[str, ...]:
        """These files, and the project's files that they import, and those that these import in turn."""
        todo, found = list(paths), dict[str, None]()
        while todo:
            file = self.file(todo.pop())
            if file is not None and file.path not in found:
                found[file.path] = None
                todo += [one.path for node in ast.walk(file.tree) for one in self._imported_files(node, file)]
        return tuple(sorted(found))

    def _imported_files(self, statement: ast.AST, file: PythonFile) -> Iterator[PythonFile]:
        names = [alias.name for alias in statement.names] if isinstance(statement, ast.Import) else []
        for alias, origin in _imports(statement, file.path):
            names += [origin, f"{origin}.{alias.name}"]
        yield from (found for name in names if (found := self._module(name, file.path)) is not None)

    def _reached(self, file: PythonFile, names: Iterable[str]) -> Iterator[str]:
        todo = [(file, name) for name in names]
        seen: set[tuple[str, str]] = set()
        told: set[int] = set()
        while todo:
            file, name = todo.pop(0)
            if (file.path, name) in seen:
                continue
            seen.add((file.path, name))
            for statement in file.bindings.get(name, file.bindings.get("*", ())):
                if isinstance(statement, ast.Import | ast.ImportFrom):
                    yield f"{name} from {_told_import(statement, name)}"
                    todo += self._behind(statement, name, file)
                elif id(statement) not in told:
                    told.add(id(statement))
                    yield _text_of(statement)
                    yield from self._named_files(statement, file.path)
                    todo += [(file, one) for one in _names_in(statement)]
                    for node in _imports_within(statement):
                        for one in _bound_by(node):
                            todo += self._behind(node, one, file)

    def _behind(
        self, statement: ast.Import | ast.ImportFrom, name: str, file: PythonFile
    ) -> Iterator[tuple[PythonFile, str]]:
        """What an imported name leads to in the project's own files; a module leads to all that is in it."""
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                if (alias.asname or alias.name.partition(".")[0]) == name and (
                    module := self._module(alias.name, file.path)
                ):
                    yield from ((module, one) for one in module.bindings)
            return
        for alias, origin in _imports(statement, file.path):
            if alias.name == "*" or (alias.asname or alias.name) == name:
                sought = name if alias.name == "*" else alias.name
                module = self._module(origin, file.path)
                if module is not None and sought in module.bindings:
                    yield module, sought
                elif submodule := self._module(f"{origin}.{sought}", file.path):
                    yield from ((submodule, one) for one in submodule.bindings)

    def _module(self, dotted: str, seen_from: str) -> PythonFile | None:
        """The project's file of a module: beside the importing file, in the folders above it, or below a root."""
        place = dotted.replace(".", "/")
        for folder in (*_upwards(seen_from), *self._roots):
            for ending in (".py", "/__init__.py"):
                if found := self.file(posixpath.join(folder, f"{place}{ending}")):
                    return found
        return None

    def _named_files(self, statement: ast.stmt, seen_from: str) -> Iterator[str]:
        """The digests of files whose names stand in the statement: a rubric, a table of words."""
        for name in dict.fromkeys(_file_names(statement)):
            texts = (self._read(posixpath.join(folder, name)) for folder in _upwards(seen_from))
            text = next((found for found in texts if found is not None), None)
            if text is not None:
                yield digest(text)


def _upwards(path: str) -> Iterator[str]:
    """The folder of a file and those above it, up to the root, which is the empty path."""
    folder = posixpath.dirname(path)
    while folder:
        yield folder
        folder = posixpath.dirname(folder)
    yield ""


def _bound_by(statement: ast.stmt) -> Iterator[str]:
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield statement.name
        case ast.Import():
            yield from (alias.asname or alias.name.partition(".")[0] for alias in statement.names)
        case ast.ImportFrom():
            yield from (alias.asname or alias.name for alias in statement.names)
        case ast.Assign():
            yield from (name for target in statement.targets for name in _names_in(target))
        case ast.AnnAssign() | ast.AugAssign():
            yield from _names_in(statement.target)
        case _:  # a loop, a condition, a call: any name in it may be changed by it
            yield from _names_in(statement)
            yield from (node.name for node in ast.walk(statement) if isinstance(node, Definition))
            for node in _imports_within(statement):
                yield from _bound_by(node)


def _imports_within(statement: ast.stmt) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports in the body of a function, of a condition, of a try."""
    return (node for node in ast.walk(statement) if isinstance(node, ast.Import | ast.ImportFrom))


def _names_in(node: ast.AST) -> Iterator[str]:
    return (one.id for one in ast.walk(node) if isinstance(one, ast.Name))


def _imports(statement: ast.AST, path: str) -> Iterator[tuple[ast.alias, str]]:
    """Each name that ``from … import`` brings, with the dotted name of the module it comes from."""
    if isinstance(statement, ast.ImportFrom):
        above = path.split("/")[: -statement.level] if statement.level else []
        origin = ".".join([*above, *([statement.module] if statement.module else [])])
        yield from ((alias, origin) for alias in statement.names)


def _told_import(statement: ast.Import | ast.ImportFrom, name: str) -> str:
    """The import of one name: what else stands on the line does not count."""
    module = statement.module or "" if isinstance(statement, ast.ImportFrom) else ""
    names = [alias.name for alias in statement.names if name in (alias.asname or alias.name, alias.name)]
    return f"{module} {' '.join(names)}"


def callee(node: ast.AST) -> str:
    """The last name of what is called or used as a decorator: 'metric' of ``@agenteval.metric(…)``."""
    while isinstance(node, ast.Call):
        node = node.func
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def keyword(call: ast.AST, name: str) -> object:
    """The value of a keyword argument that is written out; None where it is not."""
    for word in call.keywords if isinstance(call, ast.Call) else ():
        if word.arg == name:
            try:
                return ast.literal_eval(word.value)
            except (ValueError, TypeError, SyntaxError):
                return None
    return None


def _metric_made_by(node: ast.AST, callees: set[str]) -> str:
    """The name of the metric that a decorated function, or a call of ``metric``, makes; else the empty text."""
    if isinstance(node, ast.FunctionDef):
        marks = [mark for mark in node.decorator_list if callee(mark) in callees]
        return str(keyword(marks[0], "name") or node.name) if marks else ""
    if isinstance(node, ast.Call) and callee(node) in callees and not isinstance(node.func, ast.Name | ast.Attribute):
        return str(keyword(node.func, "name") or "") or next((callee(one) for one in node.args), "")
    return ""


def _text_of(statement: ast.stmt) -> str:
    return ast.unparse(_WithoutDocstrings().visit(ast.parse(ast.unparse(statement))))


class _WithoutDocstrings(ast.NodeTransformer):
    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if isinstance(node, Definition) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        return node


def _file_names(statement: ast.stmt) -> Iterator[str]:
    """Texts that may name a file; ``folder / "sub" / "file.md"`` is one."""
    for node in ast.walk(statement):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            words = [str(one.value) for one in ast.walk(node) if isinstance(one, ast.Constant)]
            yield from (name for name in ("/".join(reversed(words)),) if _FILE_NAME.match(name))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _FILE_NAME.match(node.value):
            yield node.value
