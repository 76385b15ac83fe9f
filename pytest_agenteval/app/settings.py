"""The settings of a project: ``[tool.pytest-agenteval]`` in pyproject.toml, read once."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pytest_agenteval.errors import InvalidValue, SettingsError
from pytest_agenteval.model.baseline import Bar
from pytest_agenteval.model.codec import decode

TABLE = "tool.pytest-agenteval"
Isolation = Literal["none", "process"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteSettings:
    """The table of one suite: ``gate`` names the metrics that gate, each with its bar.

    ``isolation`` is that of its agent, where it is another than that of the project.
    """

    gate: Mapping[str, Bar] = field(default_factory=dict)
    isolation: Isolation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a project has set; each key has a default. Paths are relative to ``root``.

    ``owner`` is who answers for the agents. ``agent_timeout`` (seconds) and ``retries`` limit a trial,
    ``concurrency`` the calls under way at once, ``requests_per_minute`` and ``tokens_per_minute`` those of a minute.
    With ``isolation = "process"`` each call has a process of its own, within ``memory_limit`` and ``file_limit`` (MiB).
    ``infrastructure`` lists exceptions that are the provider's. ``plugins`` are modules with ``agenteval_``
    hooks that the command loads. ``templates`` is a folder whose Jinja templates go before the built-in ones.
    """

    owner: str = ""
    agent_timeout: float = 60.0
    retries: int = 2
    concurrency: int = 16
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    isolation: Isolation = "none"
    memory_limit: int = 4096
    file_limit: int = 1024
    infrastructure: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()
    suite_folder: str = "suites"
    baselines: str = "baselines"
    quarantine: str = "quarantine"
    history: str = "history"
    reports: str = "reports"
    audit: str = "audit"
    templates: str = "templates"
    work: str = ".agenteval"
    suites: Mapping[str, SuiteSettings] = field(default_factory=dict)
    root: str = "."

    def __post_init__(self) -> None:
        if self.agent_timeout <= 0 or self.retries < 0:
            message = (
                f"agent_timeout is a number of seconds above 0 and retries at least 0, "
                f"not {self.agent_timeout:g} and {self.retries}"
            )
            raise InvalidValue(message)
        for name in ("concurrency", "requests_per_minute", "tokens_per_minute", "memory_limit", "file_limit"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                message = f"{name} is a number above 0, not {value:g}"
                raise InvalidValue(message)

    def path(self, name: str) -> Path:
        """The absolute path of one of the path settings."""
        return Path(self.root) / str(getattr(self, name))

    def gate_of(self, suite: str) -> Mapping[str, Bar]:
        """The gate table of a suite; a suite of a parametrised agent, ``refunds[gpt]``, has that of refunds."""
        return self._of(suite).gate

    def isolation_of(self, suite: str) -> Isolation:
        """How the agent of a suite is kept apart: as its table says, or else as the project's."""
        return self._of(suite).isolation or self.isolation

    def _of(self, suite: str) -> SuiteSettings:
        return self.suites.get(suite) or self.suites.get(suite.partition("[")[0]) or SuiteSettings()


def load_settings(folder: Path) -> Settings:
    """Read the settings of the project that ``folder`` is in; without any, those of ``folder`` by default.

    The project's root is the nearest folder, this one or one above, whose pyproject.toml has the table; where
    there is none, the nearest that holds a folder of suites: pytest 8.0 takes the folder of its arguments for
    the root, and a command may be typed anywhere. Raises SettingsError, naming the key and the near match.
    """
    above = (folder, *folder.parents)
    for root in above:
        table = _table(root / "pyproject.toml")
        if table is not None:
            return parse_settings(table, root=root, where=f"[{TABLE}] in pyproject.toml")
    default = Settings()
    holder = next((root for root in above if (root / default.suite_folder).is_dir()), folder)
    return Settings(root=str(holder))


def _table(file: Path) -> Mapping[str, Any] | None:
    try:
        return table_in(file.read_text("utf-8-sig"), str(file))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except UnicodeDecodeError as error:
        message = f"{file} cannot be read: {error}. Mend the file"
        raise SettingsError(message) from error


def table_in(text: str, where: str) -> Mapping[str, Any] | None:
    """Our table in the text of a pyproject.toml, or None. Raises SettingsError for what is no TOML."""
    try:
        tools = tomllib.loads(text).get("tool", {})
    except tomllib.TOMLDecodeError as error:
        message = f"{where} cannot be read: {error}. Mend the file"
        raise SettingsError(message) from error
    found: Mapping[str, Any] | None = tools.get("pytest-agenteval")
    return found


def parse_settings(table: Mapping[str, Any], *, root: Path, where: str = TABLE) -> Settings:
    """Settings from the table as TOML gives it.

    >>> parse_settings({"suites": {"refunds": {"gate": {"success": {"flor": 0.8}}}}}, root=Path())
    Traceback (most recent call last):
    ...
    pytest_agenteval.errors.SettingsError: tool.pytest-agenteval: suites of a Settings: gate of a SuiteSettings: \
unknown key 'flor' in a Bar; did you mean 'floor'?
    """
    if "root" in table:
        message = f"{where}: unknown key 'root'; paths are relative to the file's folder"
        raise SettingsError(message)
    try:
        return decode(Settings, {**table, "root": str(root)}, where=where)
    except InvalidValue as error:
        raise SettingsError(str(error)) from error
