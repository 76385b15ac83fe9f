"""The examples of README.md and docs/ run as they stand, and print what stands beside them."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, Block, blocks, differences
from tests.quiet import QUIET

COMMANDS = {
    "pytest": ["-m", "pytest"],
    "pytest-agenteval": ["-c", "import sys; from pytest_agenteval.cli import main; sys.exit(main())"],
    "python": [],
}
RUNNING = [page for page in PAGES if any(block.mark == "run" for block in blocks(page))]
PROJECT = (ROOT / "pyproject.toml").read_text("utf-8")
_OURS = re.compile(r"^\[tool\.pytest-agenteval.*?(?=^\[(?!tool\.pytest-agenteval))", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)#\s]+)(#[^)]*)?\)")


def run(command: str, folder: Path) -> tuple[int, list[str]]:
    words = shlex.split(command, comments=True)
    given = dict(word.split("=", 1) for word in words if re.match(r"[A-Z_]+=", word))
    words = words[len(given) :]
    kept = {name: value for name, value in os.environ.items() if name not in {"CI", "PYTEST_ADDOPTS"}}
    plain = {"COLUMNS": "100", "NO_COLOR": "1"}
    # A file that a page writes anew at once is no other to bytecode; and those plug-ins are slow to start.
    plain |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTEST_ADDOPTS": " ".join(QUIET)}
    done = subprocess.run(
        [sys.executable, *COMMANDS[words[0]], *words[1:]],
        cwd=folder,
        env={**kept, **plain, **given},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout.replace(f"{folder}{os.sep}", "").splitlines()


def take_along(suites: list[str], folder: Path) -> None:
    """Copy committed suites with their baselines, and what the project sets for them."""
    (folder / "pyproject.toml").write_text("\n".join(_OURS.findall(PROJECT)), "utf-8")
    for suite in suites:
        for kind in ("suites", "baselines"):
            for found in (ROOT / kind).glob(f"{suite}*"):
                shutil.copytree(found, folder / kind / found.name)


def follow(page: Path, folder: Path) -> None:
    """Do what the page says, block by block."""
    code = 0
    for block in blocks(page):
        if block.mark == "with":
            take_along(block.told.split(), folder)
        if block.mark == "file":
            path = folder / block.told
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, "utf-8")
        if block.mark == "printed in":
            assert block.text.strip() in (folder / block.told).read_text("utf-8")
        if block.mark != "run":
            continue
        for command, told in block.commands:
            code, printed = (code, [str(code)]) if command == "echo $?" else run(command, folder)
            missing = list(differences(told, printed))
            assert not missing, f"{page.name}: $ {command}\nnot as told: {missing}\nprinted:\n" + "\n".join(printed)


def needs_a_mark(block: Block) -> bool:
    if block.mark:
        return False
    if block.language == "console":
        return True
    return block.language == "python" and ">>>" not in block.text


@pytest.mark.parametrize("page", RUNNING, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_page_s_commands_print_what_the_page_says(page: Path, tmp_path: Path) -> None:
    follow(page, tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_each_example_is_run_or_says_why_not(page: Path) -> None:
    unmarked = [block.text for block in blocks(page) if needs_a_mark(block)]
    assert not unmarked


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_each_link_leads_to_a_file_of_the_project(page: Path) -> None:
    targets = [found[0] for found in _LINK.findall(page.read_text("utf-8")) if "://" not in found[0]]
    assert not [target for target in targets if not (page.parent / target).exists()]


def test_every_page_is_reached_from_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / target).resolve() for target, _ in _LINK.findall(index.read_text("utf-8"))}
    assert not [page.name for page in PAGES if page not in linked and page not in {index, ROOT / "README.md"}]


def test_a_line_that_is_not_printed_is_found() -> None:
    printed = ["head", "gate: 1 pass; exit code 0", "tail"]
    assert list(differences(["head", "…", "tail"], printed)) == []
    assert list(differences(["head", "tail"], printed)) == ["tail"]
    assert list(differences(["…", "gate: 1 pass; exit code 10", "…"], printed)) == ["gate: 1 pass; exit code 10"]
