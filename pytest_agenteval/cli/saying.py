"""What every part of the command needs: words out, the project it is typed in, and who types it."""

from __future__ import annotations

import argparse
import getpass
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.model.visible import visible

if TYPE_CHECKING:
    from pytest_agenteval.app.registry import Registry

    Parts = argparse._SubParsersAction[argparse.ArgumentParser]


def say(*lines: str) -> None:
    """Print lines in which nothing can act."""
    for line in lines:
        sys.stdout.write(f"{visible(line)}\n")


def workspace_of(options: argparse.Namespace) -> Workspace:
    """The project that the command is typed in."""
    return Workspace.at(options.root.resolve())


def registry_of(workspace: Workspace) -> Registry:
    """The project's metrics, sections and agents."""
    from pytest_agenteval.app.registry import Registry

    return Registry(modules=workspace.settings.plugins, root=workspace.settings.root)


def shown(path: Path | str) -> str:
    """The path as seen from here, if it lies below."""
    return str(path).removeprefix(f"{Path.cwd()}{os.sep}")


def actor(root: Path) -> str:
    """Git's user, else who is logged in."""
    asked: Iterable[str] = ("user.name", "user.email")
    found = [_git(root, "config", name) for name in asked]
    name, email = found
    return f"{name} <{email}>" if name and email else name or getpass.getuser()


def _git(root: Path, *words_: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(root), *words_], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()
