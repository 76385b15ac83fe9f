"""Real git repositories, made quickly."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

_PLAIN = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Dana",
    "GIT_AUTHOR_EMAIL": "dana@example.org",
    "GIT_COMMITTER_NAME": "Dana",
    "GIT_COMMITTER_EMAIL": "dana@example.org",
}


def git(root: Path, *words: str) -> str:
    """What git answers in that folder; the user's own settings do not count."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        ["git", "-C", str(root), *words], capture_output=True, text=True, check=True, env=kept | _PLAIN
    )
    return done.stdout.strip()


def put(root: Path, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")


def commit(root: Path, files: Mapping[str, str], message: str = "change") -> str:
    """Write the files, commit everything, and give the commit."""
    put(root, files)
    git(root, "add", "-A")
    git(root, "commit", "-q", "--allow-empty", "-m", message)
    return git(root, "rev-parse", "HEAD")


def repository(root: Path, files: Mapping[str, str]) -> str:
    """A repository whose branch ``main`` has these files; the branch ``change`` is checked out. Gives the commit."""
    root.mkdir(parents=True, exist_ok=True)
    git(root, "init", "-q", "-b", "main")
    first = commit(root, files, "base")
    git(root, "checkout", "-q", "-b", "change")
    return first
