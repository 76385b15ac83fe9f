"""What an agent is made of, as a digest: another one where its code or its own values may have changed."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, Final

from pytest_agenteval.contracts import Agent
from pytest_agenteval.model.codec import encode
from pytest_agenteval.model.jsonvalue import digest

_OURS: Final = "pytest_agenteval"
_TEST_FILE: Final = re.compile(r"test_.*\.py|.*_test\.py")
_MAKES_AN_AGENT: Final = re.compile(rb"fixture|parametrize")
_NO_SOURCES: Final = frozenset({"__pycache__", "node_modules"})
_INSTALLED: Final = (".dist-info", ".egg-info")
_INSTALLED_IN: Final = frozenset({"site-packages", "dist-packages"})
_DEEPEST: Final = 8
_MOST_VALUES: Final = 10_000


class Fingerprints:
    """Fingerprints of the agents of one project; its files are read once."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._code: dict[Path | None, str] = {}

    def of(self, agent: Agent) -> str:
        """The agent's fingerprint.

        It is made of what the agent says of itself, of the values that it holds and uses (`_Told`), of the Python
        files of the project and of the agent's own package, and of the names and versions of all that is installed.
        """
        package = _package_of(agent, self._root)
        values = _Told(self._root, package).value(agent)
        if package not in self._code:
            self._code[package] = _code([self._root] if package is None else [self._root, package])
        return digest([encode(agent.identity), values, self._code[package]], length=32)


def _package_of(agent: Agent, root: Path) -> Path | None:
    """The folder of the package that the agent itself is of, where that is not the project; or its one module."""
    thing: Any = agent
    for way in ("inner", "inner", "func", "__func__"):  # within what isolates and adapts it, a partial or a method
        thing = getattr(thing, way, thing)
    module = str(_named(thing).__module__)
    file, top = _file_of(module), module.partition(".")[0]
    if file is None or _is_inside(file, root) or top == _OURS or top in sys.stdlib_module_names:
        return None
    return next((Path(path).resolve() for path in getattr(sys.modules.get(top), "__path__", ())), file)


def _named(thing: object) -> type | FunctionType:
    return thing if isinstance(thing, type | FunctionType) else type(thing)


def _file_of(module: str) -> Path | None:
    file = getattr(sys.modules.get(module), "__file__", None)
    return Path(file).resolve() if file else None


def _is_inside(file: Path, root: Path) -> bool:
    """Whether a file is one of the project's own, and not of a package that is installed below its root."""
    return file.is_relative_to(root) and _INSTALLED_IN.isdisjoint(file.parts)


class _Told:
    """What an object of the project, of ``package`` or of ours tells by its values; of all others their type alone.

    Of a function it is what it was given (defaults, arguments of a partial, what it closes over) and the globals
    that its code names, those of other modules too.
    """

    def __init__(self, root: Path, package: Path | None) -> None:
        self._root, self._package = root, package
        self._left, self._seen = _MOST_VALUES, set[int]()

    def value(self, value: Any, depth: int = 0) -> Any:  # noqa: ANN401  # any object becomes some JSON
        """The value in JSON; the same for the same object of another process."""
        self._left -= 1
        if value is None or isinstance(value, bool | int | float | str):
            return repr(value)
        if isinstance(value, bytes):
            return hashlib.sha256(value).hexdigest()
        if depth > _DEEPEST or self._left < 0:
            return "…"
        if isinstance(value, dict):
            return [[self.value(name, depth + 1), self.value(item, depth + 1)] for name, item in value.items()]
        if isinstance(value, list | tuple):
            return [self.value(item, depth + 1) for item in value]
        return self._object(value, depth)

    def _object(self, value: Any, depth: int) -> Any:  # noqa: ANN401  # the same
        named = _named(value)
        name = f"{named.__module__}.{named.__qualname__}"
        if id(value) in self._seen or isinstance(value, type):
            return name
        self._seen.add(id(value))
        if isinstance(value, MethodType):
            return [self.value(part, depth + 1) for part in (value.__self__, value.__func__)]
        if isinstance(value, partial):
            return [self.value(part, depth + 1) for part in (value.func, value.args, value.keywords)]
        if not self._is_own(str(named.__module__)):
            return name
        return [name, self.value(_parts(value) if isinstance(value, FunctionType) else _state(value), depth)]

    def _is_own(self, module: str) -> bool:
        file = _file_of(module)
        if file is None:
            return False
        of_package = self._package is not None and file.is_relative_to(self._package)
        return of_package or _is_inside(file, self._root) or module.partition(".")[0] == _OURS


def _parts(function: FunctionType) -> dict[str, object]:
    names, known = sorted(set(_names(function.__code__))), function.__globals__
    used = {name: _used(known[name], names) for name in names if name in known}
    cells = [_content(cell) for cell in function.__closure__ or ()]
    return {"defaults": [function.__defaults__, function.__kwdefaults__], "closure": cells, "globals": used}


def _used(value: object, names: Iterable[str]) -> object:
    """A global; of a module what is named of it."""
    if not isinstance(value, ModuleType):
        return value
    return {name: vars(value)[name] for name in names if name in vars(value)}


def _content(cell: Any) -> object:  # noqa: ANN401  # types.CellType has no type of its content
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return None


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _state(value: object) -> object:
    try:
        return object.__getstate__(value)  # not the object's own, which may do anything
    except Exception:  # noqa: BLE001  # an object that is made elsewhere than in Python tells nothing
        return None


def _code(places: Iterable[Path]) -> str:
    """The digest of the Python files at these places, and of what is installed."""
    found = hashlib.sha256(repr((sys.version_info[:3], _installed())).encode())
    for place in places:
        for path in _sources(place):
            content = _read(path)
            if not _TEST_FILE.fullmatch(path.name) or _MAKES_AN_AGENT.search(content):
                found.update(f"{path.relative_to(place)} {hashlib.sha256(content).hexdigest()}\n".encode())
    return found.hexdigest()


def _sources(place: Path) -> Iterator[Path]:
    if place.is_file():
        yield place
    for folder, below, files in os.walk(place):
        if "pyvenv.cfg" in files:
            below[:] = []
            continue
        below[:] = sorted(name for name in below if name not in _NO_SOURCES and not name.startswith("."))
        yield from (Path(folder, name) for name in sorted(files) if name.endswith(".py"))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""  # a link that leads nowhere


def _installed() -> list[str]:
    """Names and versions of what is installed, by the names of its folders."""
    found: set[str] = set()
    for path in map(Path, sys.path):
        try:
            found.update(one.name for one in path.iterdir() if one.name.endswith(_INSTALLED))
        except OSError:
            continue
    return sorted(found)
