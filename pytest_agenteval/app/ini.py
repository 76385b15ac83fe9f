"""What pytest itself is set to, read as text: in the base as in the working tree."""

from __future__ import annotations

import configparser
import shlex
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any, Final

Read = Callable[[str], str | None]

_TABLES: Final = (
    ("pytest.toml", ("pytest",)),
    (".pytest.toml", ("pytest",)),
    ("pytest.ini", ("pytest",)),
    (".pytest.ini", ("pytest",)),
    ("pyproject.toml", ("tool", "pytest")),
    ("pyproject.toml", ("tool", "pytest", "ini_options")),
    ("tox.ini", ("pytest",)),
    ("setup.cfg", ("tool:pytest",)),
)
"""Where pytest looks for its settings, in its order."""

_ALONE: Final = ("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini")
"""Where there is one of these, nothing else is read, though it be empty."""

_PYTHON_FILES: Final = ("test_*.py", "*_test.py")
_NOT_ENTERED: Final = (".*", "_darcs", "build", "CVS", "dist", "node_modules", "venv", "*.egg", "{arch}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ini:
    """What of pytest's settings says which tests run, and how."""

    addopts: tuple[str, ...] = ()
    testpaths: tuple[str, ...] = ()
    python_files: tuple[str, ...] = _PYTHON_FILES
    norecursedirs: tuple[str, ...] = _NOT_ENTERED
    pythonpath: tuple[str, ...] = ()

    @property
    def ours(self) -> tuple[str, ...]:
        """The options of this plug-in among addopts, each with its value."""
        found = []
        for word, following in zip(self.addopts, (*self.addopts[1:], "-"), strict=False):
            if word.startswith("--agent-eval"):
                alone = "=" in word or following.startswith("-")
                found.append(word if alone else f"{word}={following}")
        return tuple(found)

    def collects(self, path: str, paths: Sequence[str] = ()) -> bool:
        """Whether pytest, typed in the project's root with these paths, reads this file."""
        *folders, name = path.split("/")
        if not any(fnmatch(name, pattern) for pattern in self.python_files):
            return False
        if any(fnmatch(folder, pattern) for folder in folders for pattern in self.norecursedirs):
            return False
        places = paths or self.testpaths
        return not places or any(lies_in(path, place) for place in places)


def lies_in(path: str, place: str) -> bool:
    """Whether a path is the place, or lies below it; the root is '.' or empty, ``*`` as in testpaths."""
    place = place.removeprefix("./").rstrip("/")
    if "**" in place:
        return fnmatch(path, place.replace("**/", "*")) or fnmatch(path, f"{place.replace('**/', '*')}/*")
    parts, patterns = path.split("/"), place.split("/")
    lower = len(parts) >= len(patterns) and all(map(fnmatch, parts, patterns))
    return place in ("", ".") or path == place or path.startswith(f"{place}/") or lower


def read_ini(read: Read) -> Ini:
    """What pytest is set to in the files of one tree; defaults where there are none, or what cannot be read."""
    for file, table in _TABLES:
        text = read(file)
        if text is None:
            continue
        found = _table_in(text, file, table) or {}
        if found or file in _ALONE:
            return Ini(**{name: words for name in Ini.__dataclass_fields__ if (words := _words(found.get(name)))})
    return Ini()


def _table_in(text: str, file: str, table: tuple[str, ...]) -> Mapping[str, Any] | None:
    try:
        if not file.endswith(".toml"):
            parser = configparser.ConfigParser(interpolation=None, strict=False)
            parser.read_string(text)
            return dict(parser[table[0]]) if table[0] in parser else None
        found: Any = tomllib.loads(text)
    except (configparser.Error, tomllib.TOMLDecodeError):
        return None
    for name in table:
        found = found.get(name, {}) if isinstance(found, Mapping) else {}
    return found if isinstance(found, Mapping) and set(found) - {"ini_options"} else None


def _words(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        try:
            return tuple(shlex.split(value))
        except ValueError:
            return tuple(value.split())
    return tuple(map(str, value)) if isinstance(value, list) else ()
