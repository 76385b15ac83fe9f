"""The settings: each key is read, nothing unknown or senseless is taken, and none at all is fine."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from pytest_agenteval.app.settings import Settings, SuiteSettings, load_settings, parse_settings
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.errors import SettingsError
from pytest_agenteval.model.baseline import Bar

EVERYTHING = """
[tool.other]
flor = 1
[tool.pytest-agenteval]
owner = "Dana"
agent_timeout = 5
concurrency = 4
requests_per_minute = 60
tokens_per_minute = 90000
retries = 0
isolation = "process"
memory_limit = 512
file_limit = 64
infrastructure = ["pkg.Error"]
plugins = ["my.plugin"]
suite_folder = "evals"
baselines = "b"
history = "h"
reports = "r"
audit = "a"
quarantine = "q"
templates = "t"
work = "w"
[tool.pytest-agenteval.suites.refunds.gate]
success = { floor = 0.8, margin = 0.03 }
cost_usd = { ceiling = 1 }
steps = {}
"""


def load(root: Path, text: str | bytes) -> Settings:
    (root / "pyproject.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_settings(root)


def test_each_key_is_read(tmp_path: Path) -> None:
    gate = {"success": Bar(floor=0.8, margin=0.03), "cost_usd": Bar(ceiling=1.0), "steps": Bar()}
    assert load(tmp_path, EVERYTHING) == Settings(
        owner="Dana",
        agent_timeout=5.0,
        concurrency=4,
        requests_per_minute=60.0,
        tokens_per_minute=90000.0,
        retries=0,
        isolation="process",
        memory_limit=512,
        file_limit=64,
        infrastructure=("pkg.Error",),
        plugins=("my.plugin",),
        suite_folder="evals",
        baselines="b",
        history="h",
        reports="r",
        audit="a",
        templates="t",
        quarantine="q",
        work="w",
        suites={"refunds": SuiteSettings(gate=gate)},
        root=str(tmp_path),
    )


def test_the_text_above_sets_every_key_that_there_is() -> None:
    for field in fields(Settings):
        assert field.name in EVERYTHING or field.name == "root"


@pytest.mark.parametrize("text", ["", "[project]\nname = 'x'\n", "[tool.other]\n", "[tool.pytest-agenteval]\n"])
def test_without_settings_each_key_has_its_default(tmp_path: Path, text: str) -> None:
    assert load(tmp_path, text) == Settings(root=str(tmp_path))


def test_without_a_file_each_key_has_its_default(tmp_path: Path) -> None:
    assert load_settings(tmp_path) == Settings(root=str(tmp_path))


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    assert load(tmp_path, b"\xef\xbb\xbf[tool.pytest-agenteval]\nowner = 'D\xc3\xb6rte'\n").owner == "Dörte"


def test_paths_are_those_of_the_projects_folder(tmp_path: Path) -> None:
    settings = load(tmp_path, EVERYTHING)
    assert settings.path("history") == tmp_path / "h"
    workspace = Workspace(settings)
    assert workspace.verdict_file == tmp_path / "w" / "verdict.json"
    assert workspace.audit.path == tmp_path / "a" / "changes.jsonl"
    assert workspace.baselines.root == tmp_path / "b"
    assert workspace.history.root == tmp_path / "h"
    assert workspace.case_files("refunds") == []


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("ownr = 'x'", r"unknown key 'ownr' in a Settings; did you mean 'owner'\?"),
        ("root = '.'", "unknown key 'root'; paths are relative to the file's folder"),
        ("owner = 3", "owner of a Settings: a str is due, not 3"),
        ("agent_timeout = '60'", "agent_timeout of a Settings: a number is due"),
        ("agent_timeout = true", "agent_timeout of a Settings: a number is due"),
        ("agent_timeout = nan", "agent_timeout of a Settings: a finite number is due"),
        ("agent_timeout = inf", "agent_timeout of a Settings: a finite number is due"),
        ("concurrency = 0", "concurrency is a number above 0, not 0"),
        ("requests_per_minute = -1", "requests_per_minute is a number above 0, not -1"),
        ("agent_timeout = 0", "agent_timeout is a number of seconds above 0 and retries at least 0, not 0 and 2"),
        ("retries = -1", "retries at least 0, not 60 and -1"),
        ("retries = 1.5", "retries of a Settings: a int is due"),
        ("infrastructure = 'pkg.Error'", "infrastructure of a Settings: a list is due, not 'pkg.Error'"),
        ("isolation = 'docker'", "isolation of a Settings: one of 'none', 'process' is due, not 'docker'"),
        ("suites.refunds.isolation = true", "isolation of a SuiteSettings: one of 'none', 'process' is due, not True"),
        ("memory_limit = 0", "memory_limit is a number above 0, not 0"),
        ("plugins = [1]", "plugins of a Settings: a str is due, not 1"),
        ("suites = []", r"suites of a Settings: an object is due, not \[\]"),
        ("suites.refunds.gates.success = {}", r"unknown key 'gates' in a SuiteSettings; did you mean 'gate'\?"),
        ("suites.refunds.gate.success = 0.8", "a Bar is an object, not 0.8"),
        ("suites.refunds.gate.success = { flor = 0.8 }", r"unknown key 'flor' in a Bar; did you mean 'floor'\?"),
        ("suites.refunds.gate.success = { floor = nan }", "floor of a Bar: a finite number is due"),
        ("suites.refunds.gate.success = { margin = -0.1 }", "a margin is the loss that is tolerated, at least 0"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_key(tmp_path: Path, table: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        load(tmp_path, f"[tool.pytest-agenteval]\n{table}\n")
    assert str(caught.value).startswith("[tool.pytest-agenteval] in pyproject.toml: ")


@pytest.mark.parametrize(
    "text", ["[tool.pytest-agenteval\n", "a = 1\na = 2\n", b"owner = '\xff'\n"], ids=["torn", "twice", "bytes"]
)
def test_a_broken_file_is_named_with_the_reason(tmp_path: Path, text: str | bytes) -> None:
    with pytest.raises(SettingsError, match=r"pyproject\.toml cannot be read: .*\. Mend the file"):
        load(tmp_path, text)


def test_the_suite_of_a_parameter_has_its_own_table_or_that_of_the_whole() -> None:
    table = {
        "refunds": {"gate": {"success": {"floor": 0.8}}},
        "refunds[gpt]": {"gate": {"success": {"floor": 0.9}}},
    }
    settings = parse_settings({"suites": table}, root=Path())
    assert settings.gate_of("refunds") == {"success": Bar(floor=0.8)}
    assert settings.gate_of("refunds[gpt]") == {"success": Bar(floor=0.9)}
    assert settings.gate_of("refunds[other]") == {"success": Bar(floor=0.8)}
    assert settings.gate_of("billing") == {}
    assert settings.gate_of("billing[gpt]") == {}


def test_the_nearest_folder_above_with_a_table_is_the_projects_root(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.pytest-agenteval]\nowner = "Dana"\n', "utf-8")
    inner = tmp_path / "suites" / "refunds"
    inner.mkdir(parents=True)
    (inner / "pyproject.toml").write_text("[tool.other]\n", "utf-8")
    found = load_settings(inner)
    assert (found.owner, found.root) == ("Dana", str(tmp_path))


def test_without_any_table_the_nearest_folder_that_holds_suites_is_the_root(tmp_path: Path) -> None:
    inner = tmp_path / "suites" / "refunds"
    inner.mkdir(parents=True)
    assert load_settings(inner).root == str(tmp_path)
