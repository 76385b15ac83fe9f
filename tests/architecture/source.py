"""The package as its syntax trees say it: rooms, imports, functions."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "pytest_agenteval"

FLOOR = {
    "errors": 1,
    "stats": 1,
    "model": 2,
    "contracts": 3,
    "agents": 4,
    "hookspecs": 4,
    "metrics": 4,
    "pipeline": 4,
    "recorder": 4,
    "store": 4,
    "strategies": 4,
    "production": 5,
    "report": 6,
    "app": 7,
    "cli": 8,
    "plugin": 8,
    "web": 8,
}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """A module of the package: its dotted name and its source."""

    name: str
    source: str
    is_package: bool = False

    def __str__(self) -> str:
        return self.name

    @property
    def room(self) -> str:
        """The first name below the package; empty for the package's own `__init__`."""
        return self.name.partition(".")[2].partition(".")[0]

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.source)

    @property
    def functions(self) -> list[Function]:
        return [node for node in ast.walk(self.tree) if isinstance(node, Function)]

    @property
    def imports(self) -> set[str]:
        """Dotted names of all imports, at any depth and for typing too."""
        return set(self._named_by(ast.walk(self.tree)))

    @property
    def imports_when_loaded(self) -> set[str]:
        """Dotted names of the imports that run when the module is imported."""
        return set(self._named_by(_run_when_loaded(self.tree)))

    def _named_by(self, nodes: Iterator[ast.AST]) -> Iterator[str]:
        for node in nodes:
            match node:
                case ast.Import():
                    yield from (alias.name for alias in node.names)
                case ast.ImportFrom():
                    yield from (f"{self._origin(node)}.{alias.name}" for alias in node.names)
                case ast.Call(
                    func=ast.Name(id="import_module" | "__import__") | ast.Attribute(attr="import_module"),
                    args=[ast.Constant(value=str(name)), *_],
                ):
                    yield name

    def _origin(self, node: ast.ImportFrom) -> str:
        """The absolute name of what follows `from`."""
        if not node.level:
            return node.module or ""
        parents = self.name.split(".")
        kept = parents[: len(parents) - node.level + self.is_package]
        return ".".join([*kept, *([node.module] if node.module else [])])


def _run_when_loaded(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (Function, ast.Lambda)):
            continue
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            yield from (part for branch in child.orelse for part in (branch, *_run_when_loaded(branch)))
            continue
        yield child
        yield from _run_when_loaded(child)


def _read(path: Path) -> Module:
    parts = path.relative_to(ROOT).with_suffix("").parts
    is_package = parts[-1] == "__init__"
    return Module(
        name=".".join(parts[:-1] if is_package else parts),
        source=path.read_text(encoding="utf-8"),
        is_package=is_package,
    )


MODULES = [_read(path) for path in sorted((ROOT / PACKAGE).rglob("*.py"))]
IN_ROOMS = [module for module in MODULES if module.room]
