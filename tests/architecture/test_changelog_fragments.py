"""A changelog fragment that towncrier would overlook is refused."""

from __future__ import annotations

import re
import tomllib

from tests.architecture.source import ROOT


def test_each_fragment_is_named_by_issue_and_type_and_says_something() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["towncrier"]
    types = "|".join(kind["directory"] for kind in settings["type"])
    fragments = sorted((ROOT / settings["directory"]).iterdir())
    assert [path.name for path in fragments if path.name == "README.md"]
    for path in fragments:
        assert path.name == "README.md" or re.fullmatch(rf"\d+\.({types})\.md", path.name)
        assert path.read_text().strip()
