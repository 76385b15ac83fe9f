"""The base of a change, read at its merge base: what decided there, and which loosenings it allows."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from pytest_agenteval.app.ini import lies_in, read_ini
from pytest_agenteval.app.runs import Plan, RunOptions
from pytest_agenteval.app.settings import TABLE, Settings, parse_settings, table_in
from pytest_agenteval.app.workspace import CASE_FILES, Workspace
from pytest_agenteval.errors import AgentEvalError, BaselineError, CaseError, SettingsError
from pytest_agenteval.metrics import built_in_metrics
from pytest_agenteval.model.baseline import Baseline
from pytest_agenteval.model.case import Case
from pytest_agenteval.model.loosening import Loosening, LooseningApproval
from pytest_agenteval.model.quarantine import QuarantinedCase
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.pipeline.rules import CaseRule, Rules, plain
from pytest_agenteval.store.approvals import approval_of
from pytest_agenteval.store.baselines import APPROVALS, baseline_of
from pytest_agenteval.store.casefiles import cases_in
from pytest_agenteval.store.gitbase import GitBase
from pytest_agenteval.store.quarantine import read_quarantine
from pytest_agenteval.store.sources import Read, Sources
from pytest_agenteval.store.testfiles import AgentTests, agent_tests, lends_tests


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """One commit as a bar: its rules, the approvals that stand in it, by path, and how to read its files."""

    ref: str
    sha: str
    rules: Rules
    approvals: Mapping[str, LooseningApproval]
    sources: Sources
    python_files: tuple[str, ...] = ()

    def allows(self, one: Loosening, at: datetime) -> bool:
        """Whether an approval of exactly this stands in the base, and has not expired."""
        return any(one.digest in found.digests and at <= found.expires for found in self.approvals.values())


def read_base(workspace: Workspace, ref: str, options: RunOptions, *, start: Path | None = None) -> Base:
    """Read the merge base of ``ref`` and HEAD. ``start`` is where the search for the project began.

    Raises UsageError where the base cannot be had (see ``GitBase.merge_base``), or cannot be read as what it is.
    """
    root = Path(workspace.settings.root).resolve()
    git = GitBase.merge_base(root, ref)
    _refuse_moved_settings(git, root, (start or root).resolve())
    settings = base_settings(git, root)
    ini = read_ini(git.show)
    holding = git.holding("agent_cases", ".py")
    git.fetch(holding)
    sources = Sources(git.show, ini.pythonpath)
    read = [path for path in holding if ini.collects(path, options.paths)]
    tests = [found for path in read if (found := agent_tests(sources, path)) is not None]
    by_suite: dict[str, list[AgentTests]] = {}
    for one in tests:
        by_suite.setdefault(suite_of(one.path, settings), []).append(one)
    cases = {suite: _cases(git, settings, suite, several) for suite, several in by_suite.items()}
    elsewhere = any(lends_tests(sources, path) for path in holding)
    baselines = dict(_baselines(git, settings))
    rules = Rules(
        gates={name: one.gate for name, one in settings.suites.items()},
        baselines=baselines,
        infrastructure=settings.infrastructure,
        options=ini.ours,
        suites=frozenset(_expected(git, settings, by_suite, baselines, options.paths or ini.testpaths)),
        cases={suite: found for suite, (found, _) in cases.items()},
        complete=frozenset(() if elsewhere else (suite for suite, (_, complete) in cases.items() if complete)),
        quarantined=dict(_quarantined(git, settings)),
        built_in=built_in_names(),
        repeats={
            suite: _repeats(git, settings, suite, several, _approved(baselines.values(), suite))
            for suite, several in (() if options.repeats else by_suite.items())
        },
        excused=frozenset(f"{one.path}::{test}" for one in tests for test in one.excused),
    )
    approvals = dict(_approvals(git.files(f"{settings.baselines}/{APPROVALS}"), git.show))
    python_files = _python_files(git, sources, settings, tests)
    return Base(ref=ref, sha=git.sha, rules=rules, approvals=approvals, sources=sources, python_files=python_files)


def _python_files(git: GitBase, sources: Sources, settings: Settings, tests: Iterable[AgentTests]) -> tuple[str, ...]:
    """The files in which the metrics of the agent tests may be defined."""
    git.fetch(git.holding("metric", ".py"))
    conftests = [path for path in git.files() if path.rpartition("/")[2] == "conftest.py"]
    plugins = [f"{name.replace('.', '/')}{ending}" for name in settings.plugins for ending in (".py", "/__init__.py")]
    return sources.with_imported([*(one.path for one in tests), *conftests, *plugins])


def head_rules(workspace: Workspace, base: Base, plan: Plan, trials: Sequence[Trial], excused: Iterable[str]) -> Rules:
    """What decides in the working tree, as this run found it."""
    settings, root = workspace.settings, Path(workspace.settings.root).resolve()
    read = reader_of(root)
    sources = Sources(read, read_ini(read).pythonpath)
    origins = {name: _below(root, origin) for name, origin in plan.origins.items()}
    attempts: dict[str, dict[str, int]] = {}
    for suite, case, attempt in plan.planned:
        of_suite = attempts.setdefault(plain(suite), {})
        of_suite[case] = max(int(attempt), of_suite.get(case, 1))
    cases: dict[str, dict[str, CaseRule]] = {}
    asked: dict[tuple[str, str], set[str]] = {}
    for trial in trials:
        for score in trial.scores:
            asked.setdefault((trial.case.suite, score.metric), set()).add(trial.case.id)
        rule = CaseRule(fingerprint=trial.case_fingerprint, tags=trial.case.tags)
        cases.setdefault(trial.case.suite, {})[trial.case.id] = rule
    return Rules(
        gates={name: one.gate for name, one in settings.suites.items()},
        baselines={(one.suite, one.metric): one for one in _readable(workspace)},
        infrastructure=settings.infrastructure,
        options=read_ini(read).ours,
        suites=frozenset(cases),
        partial=frozenset(plan.partial),
        cases=cases,
        asked={place: frozenset(found) for place, found in asked.items()},
        quarantined={suite: _days(entries) for suite, entries in workspace.quarantines.all().items()},
        specs=plan.specs,
        sources={
            name: found for name, path in origins.items() if path and (found := sources.metric_digest(path, name))
        },
        built_in=frozenset(name for name, origin in plan.origins.items() if not origin),
        repeats=attempts,
        excused=frozenset(excused),
    )


def with_sources(base: Base, head: Rules, plan: Plan, root: Path) -> Rules:
    """The base's rules with a digest of each metric that its project defined and that the run measured."""
    origins = {name: _below(root.resolve(), origin) for name, origin in plan.origins.items()}
    found = {}
    for name in head.specs.keys() & plan.origins.keys():
        own = [path for path in base.python_files if (file := base.sources.file(path)) and name in file.metrics]
        # A metric that no decorator names is made by a factory, if it is not built in: then its whole file counts.
        here = "" if name in base.rules.built_in else origins.get(name, "")
        place = origins.get(name, "") if origins.get(name) in own else next(iter(own), here)
        if place and (digest := base.sources.metric_digest(place, name)):
            found[name] = digest
    # Where it is not known what defines a metric here, the two cannot be compared.
    return replace(base.rules, sources=found, built_in=base.rules.built_in.intersection(plan.origins))


def head_approvals(workspace: Workspace) -> dict[str, LooseningApproval]:
    """The approvals that stand in the working tree, by path: they count for nothing until they are merged."""
    root = Path(workspace.settings.root).resolve()
    folder = workspace.settings.path("baselines").resolve() / APPROVALS
    return dict(_approvals([_below(root, str(path)) for path in sorted(folder.glob("*.json"))], reader_of(root)))


def built_in_names() -> frozenset[str]:
    """The names of the metrics that come with the project."""
    return frozenset(metric.spec.name for metric in built_in_metrics())


def suite_of(path: str, settings: Settings) -> str:
    """The suite of a test file, by its path from the root: its folder below the suites', else its own name."""
    folder = settings.suite_folder.strip("/")
    parts = path.split("/")
    if lies_in(path, folder) and len(parts) > len(folder.split("/")) + 1:
        return parts[len(folder.split("/"))]
    return ".".join((*parts[:-1], parts[-1].removesuffix(".py").removeprefix("test_")))


def reader_of(root: Path) -> Read:
    """Reads the files of the working tree by their paths from the root; nothing outside of it."""

    def read(path: str) -> str | None:
        file = root / path
        try:
            inside = file.resolve().is_relative_to(root) and file.is_file()
            return file.read_text("utf-8-sig") if inside else None
        except (OSError, UnicodeDecodeError, ValueError):
            return None

    return read


def _below(root: Path, path: str) -> str:
    """The path from the root, or the empty text for what lies outside or was installed."""
    file = Path(path)
    inside = bool(path) and file.is_relative_to(root) and "site-packages" not in file.parts
    return file.relative_to(root).as_posix() if inside else ""


def base_settings(git: GitBase, root: Path) -> Settings:
    """The settings of the base; defaults where it has none."""
    where = f"pyproject.toml of the base {git.sha[:12]}"
    table = table_in(git.show("pyproject.toml") or "", where)
    return parse_settings(table or {}, root=root, where=f"[{TABLE}] in {where}")


def _refuse_moved_settings(git: GitBase, root: Path, start: Path) -> None:
    """In the base the project's root must have been the same folder, or other bars would be read."""
    others = [folder for folder in (start, *start.parents) if folder != root and folder.is_relative_to(root)]
    if not _has_table(git, root):
        within = [folder for folder in (root, *root.parents) if (folder / ".git").exists()]
        others += [folder for folder in root.parents if within and folder.is_relative_to(within[0])]
    for folder in others:
        if _has_table(git, folder):
            message = (
                f"in the base the project's settings stand in {folder}, here in {root}: the bars of the two cannot be "
                f"compared. Put the table [{TABLE}] back where it was"
            )
            raise SettingsError(message)


def _has_table(git: GitBase, folder: Path) -> bool:
    try:
        return table_in(GitBase(folder, git.sha).show("pyproject.toml") or "", str(folder)) is not None
    except AgentEvalError:
        return False


def _baselines(git: GitBase, settings: Settings) -> Iterator[tuple[tuple[str, str], Baseline]]:
    files = [path for path in git.files(settings.baselines) if path.endswith(".json")]
    files = [path for path in files if path.split("/")[-2] != APPROVALS]
    git.fetch(files)
    for path in files:
        found = baseline_of(git.show(path) or "", f"{path} of the base {git.sha[:12]}")
        yield (found.suite, found.metric), found


def _readable(workspace: Workspace) -> Iterator[Baseline]:
    """The baselines of the working tree; one that cannot be read, or stands elsewhere than it belongs, is none."""
    for path in sorted(workspace.baselines.root.glob("*/*.json")):
        if path.parent.name != APPROVALS and not path.is_symlink():
            with suppress(BaselineError, OSError, UnicodeDecodeError):
                found = baseline_of(path.read_text("utf-8-sig"), str(path))
                if path == workspace.baselines.path(found.suite, found.metric):
                    yield found


def _days(entries: Iterable[QuarantinedCase]) -> dict[str, tuple[str, str]]:
    return {one.case: (one.since, one.until) for one in entries}


def _quarantined(git: GitBase, settings: Settings) -> Iterator[tuple[str, dict[str, tuple[str, str]]]]:
    for path in git.files(settings.quarantine):
        if path.endswith(".json"):
            suite, entries = read_quarantine(git.show(path) or "", f"{path} of the base {git.sha[:12]}")
            yield suite, _days(entries)


def _approvals(paths: Iterable[str], read: Read) -> Iterator[tuple[str, LooseningApproval]]:
    """The approvals that can be read: what is no approval allows nothing."""
    for path in paths:
        with suppress(BaselineError):
            yield path, approval_of(read(path) or "", path)


def _expected(
    git: GitBase,
    settings: Settings,
    by_suite: Mapping[str, Sequence[AgentTests]],
    baselines: Iterable[tuple[str, str]],
    paths: Sequence[str],
) -> Iterator[str]:
    """The suites of the base that must run: all, or those in the paths that the command line or testpaths name."""
    for suite in {*by_suite, *(suite for suite, _ in baselines), *settings.suites}:
        folder = f"{settings.suite_folder}/{plain(suite)}"
        tests = [one.path for one in by_suite.get(plain(suite), ())]
        known = tests or any(suite == one for one, _ in baselines) or git.files(folder)
        places = tests or [folder]
        if known and (not paths or any(lies_in(one, path) or lies_in(path, one) for one in places for path in paths)):
            yield suite


def _cases(
    git: GitBase, settings: Settings, suite: str, tests: Sequence[AgentTests]
) -> tuple[dict[str, CaseRule], bool]:
    """The cases that the base's test files write out or load; and whether there can be no others.

    A link has no cases here, nor has a file that cannot be read: what they asked is known from the baselines.
    """
    found: dict[str, Case] = {}
    complete = all(one.complete for one in tests)
    for one in tests:
        found |= {case.id: case for case in one.cases}
        for name in one.files:
            read = _loaded(git, settings, suite, one.path, name)
            found |= {case.id: case for case in read or ()}
            complete = complete and read is not None
    return {case.id: CaseRule(fingerprint=case.fingerprint, tags=case.tags) for case in found.values()}, complete


def _approved(baselines: Iterable[Baseline], suite: str) -> set[str]:
    """The cases of the suite that have a baseline."""
    return {case for one in baselines if plain(one.suite) == suite for case in one.screen}


def _loaded(git: GitBase, settings: Settings, suite: str, test: str, name: str) -> list[Case] | None:
    """The cases of a file that a test file loads; None where they cannot be read."""
    beside = test.rpartition("/")[0]
    named = (f"{beside}/{name}", f"{beside}/cases/{name}", f"{settings.suite_folder}/{suite}/cases/{name}")
    places = [posixpath.normpath(path.lstrip("/")) for path in named]
    place = next((path for path in places if git.show(path) is not None), "")
    if place.endswith(CASE_FILES):
        with suppress(CaseError):
            return [one.case for one in cases_in(git.show(place) or "", Path(place), suite)]
    return None


def _repeats(
    git: GitBase, settings: Settings, suite: str, tests: Sequence[AgentTests], approved: Iterable[str]
) -> dict[str, int]:
    """The attempts at each case, as far as they are written out; ``approved`` are those of the suite's baselines."""
    found: dict[str, list[int | None]] = {}
    others: list[int | None] = []
    for one in tests:
        for name, attempts in one.repeats.items():
            read = _loaded(git, settings, suite, one.path, name) if name in one.files else None
            named = [each.id for each in read or ()] if name in one.files else [name]
            for case in filter(None, named):
                found.setdefault(case, []).append(attempts)
            others += [attempts] if name in ("", *one.files) and read is None else []
    for case in set(approved) - found.keys() if others else ():
        found[case] = [None if None in others else min(each or 1 for each in others)]
    return {case: max(each or 1 for each in several) for case, several in found.items() if None not in several}
