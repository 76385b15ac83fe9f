"""One commit of the project's repository, read by git itself: no checkout, no shell, nothing written."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Final, NoReturn

from pytest_agenteval.errors import CaseError, UsageError
from pytest_agenteval.model.codec import near
from pytest_agenteval.store.strict import decoded

_FOREIGN: Final = re.compile(r"(?:dubious ownership in repository at|unsafe repository \()\s*'?([^'\n)]+)")
_REMOTE_BRANCH: Final = re.compile(r"(?:refs/remotes/)?(origin|upstream)/([\w./-]+)\Z")
_FILES: Final = ("100644", "100755")
"""Modes of what is read: neither links, which may lead anywhere, nor repositories within this one."""


class GitBase:
    """One commit; paths are relative to the project's root, which may be a folder of a larger repository."""

    def __init__(self, root: Path, sha: str) -> None:
        self._root, self.sha = root, sha
        self._texts: dict[str, str | None] = {}

    @classmethod
    def merge_base(cls, root: Path, ref: str) -> GitBase:
        """The commit at which the history of HEAD and that of ``ref`` part.

        Never another one in its place: raises UsageError, with the line to type, where there is no git, no
        repository, a foreign owner, a shallow clone, no such ``ref``, no common commit, or HEAD itself.
        """
        _refuse_no_repository(root)
        if _told(root, "rev-parse", "--is-shallow-repository") == "true":
            message = (
                f"{root} is a shallow clone, in which the base {ref!r} cannot be found for sure. "
                f"Type: git fetch --unshallow, or set fetch-depth: 0 in the checkout step"
            )
            raise UsageError(message)
        other = _commit(root, ref)
        head = _commit(root, "HEAD")
        found = _told(root, "merge-base", head, other)
        if not found:
            message = (
                f"{ref!r} and HEAD have no commit in common, so no base can be read. "
                f"Name a branch of this history, such as --agent-eval-base origin/main"
            )
            raise UsageError(message)
        if found == head:
            message = (
                f"the base of {ref!r} and HEAD is HEAD itself, which cannot be its own bar. Where nothing is committed "
                f"on this branch yet, commit your change first; on the main branch name the commit before the push: "
                f"--agent-eval-base HEAD~1"
            )
            raise UsageError(message)
        return cls(root, found)

    @cached_property
    def _tree(self) -> dict[str, str]:
        """The object of each plain file below the project's root."""
        done = _git(self._root, "ls-tree", "-r", "-z", self.sha)
        if done.returncode:
            _refuse_broken(self.sha, done.stderr)
        listed = done.stdout.decode("utf-8", "surrogateescape")
        rows = [row.partition("\t") for row in listed.split("\0") if row]
        return {path: about.split(" ")[2] for about, _, path in rows if about.split(" ")[0] in _FILES}

    def files(self, folder: str = "") -> list[str]:
        """The paths of the files below a folder; below the root where none is named."""
        below = folder.strip("/").removeprefix("./")
        return sorted(path for path in self._tree if below in ("", ".") or path.startswith(f"{below}/"))

    def holding(self, word: str, ending: str) -> list[str]:
        """The paths of the files of that ending in which the word stands."""
        words = ("grep", "-a", "-l", "-z", "-F", "-e", word, self.sha, "--", f"*{ending}")
        listed = _git(self._root, *words).stdout.decode("utf-8", "surrogateescape")
        paths = [name.partition(":")[2] for name in listed.split("\0") if name]
        return sorted(path for path in paths if path in self._tree)

    def show(self, path: str) -> str | None:
        """The text of a file, its line ends as LF; None where the commit has no such file, or it is no text."""
        self.fetch([path])
        return self._texts[path]

    def fetch(self, paths: Iterable[str]) -> None:
        """Read several files by one call of git; ``show`` then has them at hand."""
        due = [path for path in dict.fromkeys(paths) if path not in self._texts]
        known = [path for path in due if path in self._tree]
        self._texts |= dict.fromkeys(due)
        if known:
            names = "".join(f"{self._tree[path]}\n" for path in known)
            content = _git(self._root, "cat-file", "--batch", given=names.encode()).stdout
            place = 0
            for path in known:
                end = content.find(b"\n", place)
                head = content[place:end]
                if not head or head.endswith(b"missing"):
                    _refuse_broken(self.sha, head)
                place = end + 1 + int(head.split(b" ")[2])
                self._texts[path] = _text(content[end + 1 : place], path)
                place += 1


def _refuse_broken(sha: str, said: bytes) -> NoReturn:
    told = said.decode("utf-8", "replace").strip()
    message = f"git cannot read the base {sha[:12]}: {told}. Type: git fsck, or clone the repository anew"
    raise UsageError(message)


def _text(content: bytes, path: str) -> str | None:
    try:
        return decoded(content, path, CaseError)
    except CaseError:
        return None


def _refuse_no_repository(root: Path) -> None:
    asked = _git(root, "rev-parse", "--is-inside-work-tree")
    said = asked.stderr.decode("utf-8", "replace")
    if foreign := _FOREIGN.search(said):
        message = (
            f"git does not read {foreign[1]}, which belongs to another user. "
            f"Type: git config --global --add safe.directory {foreign[1]}"
        )
        raise UsageError(message)
    if asked.stdout.strip() != b"true":
        message = (
            f"{root} lies in no git repository, so --agent-eval-base has nothing to read: {said.strip()}. "
            f"Type: git clone URL, and run in the clone; or leave the option out"
        )
        raise UsageError(message)


def _commit(root: Path, ref: str) -> str:
    found = _told(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    if not found:
        remote = _REMOTE_BRANCH.match(ref)
        fetch = (
            f"{remote[1]} +refs/heads/{remote[2]}:refs/remotes/{remote[1]}/{remote[2]}" if remote else f"origin {ref}"
        )
        named = _git(root, "for-each-ref", "--format=%(refname:short)").stdout.decode("utf-8", "replace").split()
        message = f"there is no commit {ref!r} in {root}{near(ref, named)}. Type: git fetch {fetch}"
        raise UsageError(message)
    return found


def _told(root: Path, *words: str) -> str:
    """What git says on one line; empty where it refuses."""
    done = _git(root, *words)
    return done.stdout.decode("utf-8", "replace").strip().partition("\n")[0] if done.returncode == 0 else ""


def _git(root: Path, *words: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Ask git in the project's root, without what the environment says of other repositories."""
    command = ["git", "--no-replace-objects", "-C", str(root), *words]
    try:
        return subprocess.run(command, input=given, capture_output=True, check=False, env=_environment())
    except OSError as error:
        message = (
            f"git cannot be run ({error.strerror}), and --agent-eval-base reads the base by it. "
            f"Type: apt-get install git, or leave the option out"
        )
        raise UsageError(message) from error


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return {**kept, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
