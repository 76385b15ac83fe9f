"""The shards of one run: what each leaves behind, and all of them read and joined."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Final, Literal

from pytest_agenteval.app.judging import Cause
from pytest_agenteval.app.runs import Plan, RunOptions, Shard
from pytest_agenteval.errors import InvalidValue, ShardError
from pytest_agenteval.model.codec import decode, encode
from pytest_agenteval.model.jsonvalue import parse
from pytest_agenteval.model.run import Run
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.pipeline import exits
from pytest_agenteval.pipeline.words import counted
from pytest_agenteval.store.files import write_atomically
from pytest_agenteval.store.journal import read_journals

SHARD_SCHEMA: Final = "agenteval-shard/1"
_FILES: Final = "shard-*-of-*.json"
_UNFINISHED: Final = (*exits.CUT_OFF, exits.USAGE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardEnd:
    """What a session that made one shard of a run says at its end; its trials are in the journals beside it.

    ``plan`` is that of the whole run; where metrics are defined is told from the project's root. ``causes`` are those
    of the session's own exit code, ``excused`` its tests that need not pass, ``failed`` its failing trials of cases
    that must pass, ``not_called`` why items were not called, and how many.
    """

    schema: Literal["agenteval-shard/1"]
    shard: Shard
    run: Run
    options: RunOptions
    plan: Plan
    causes: tuple[Cause, ...] = ()
    excused: tuple[str, ...] = ()
    failed: tuple[tuple[str, str, str], ...] = ()
    not_called: Mapping[str, int] = field(default_factory=dict)


def write_shard(folder: Path, end: ShardEnd, root: Path) -> None:
    """Write it into the run's folder. Raises IntegrityError where it cannot be written."""
    plan = replace(end.plan, n_kept=0, origins={name: _from(root, path) for name, path in end.plan.origins.items()})
    text = json.dumps(encode(replace(end, plan=plan)), ensure_ascii=False, sort_keys=True)
    name = f"shard-{end.shard.number}-of-{end.shard.of}.json"
    write_atomically(folder / name, text.encode("utf-8", "replace"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shards:
    """All shards of one run, in their order, and their trials; ``n_torn`` lines of journals could not be read."""

    ends: tuple[ShardEnd, ...]
    trials: Sequence[Trial]
    n_torn: int = 0

    @property
    def plan(self) -> Plan:
        """What all of them collected."""
        return self.ends[0].plan

    @property
    def options(self) -> RunOptions:
        """What all of them were asked for."""
        return _shared(self.ends[0].options)

    @property
    def run(self) -> Run:
        """The run from the first start to the last end."""
        runs = [end.run for end in self.ends]
        found: dict[str, set[str]] = {}
        for run in runs:
            for name, version in run.versions.items():
                found.setdefault(name, set()).add(version)
        return replace(
            runs[0],
            started=min(run.started for run in runs),
            ended=max(run.ended or run.started for run in runs),
            versions={name: ", ".join(sorted(several)) for name, several in found.items()},
        )

    @property
    def causes(self) -> tuple[Cause, ...]:
        """What the sessions themselves ended with, each once."""
        return tuple(dict.fromkeys(cause for end in self.ends for cause in end.causes))

    def of(self, end: ShardEnd) -> list[Trial]:
        """The trials of one of them."""
        own = end.shard.cases(_cases(self.plan))
        return [trial for trial in self.trials if trial.key[:2] in own]


def read_shards(places: Iterable[Path], root: Path, run_id: str | None = None) -> Shards:
    """The shards that lie in these folders or below, of the run of that id where there are several.

    ``root`` is the project's folder here. Raises ShardError, with the next step, where one of them is missing, twice
    there, of another plan, or did not come to its end; IntegrityError where a file cannot be read.
    """
    files = {path.resolve(): path for place in places for path in _files(place)}
    if not files:
        message = "no shard of a run lies in these folders. Give the run folders (.agenteval/runs/ID) of all its jobs"
        raise ShardError(message)
    found = [(path, _read(path)) for path in files.values()]
    chosen = [(path, end) for path, end in found if run_id is None or end.run.id == run_id]
    ids = sorted({end.run.id for _, end in chosen or found})
    if len(ids) > 1 or not chosen:
        message = f"these folders hold shards of {', '.join(ids)}. Name one of these runs by --run-id"
        raise ShardError(message)
    ends = _all_once(chosen)
    _refuse_others(ends)
    trials, n_torn = _joined(chosen)
    origins = {name: str(root / path) if path else "" for name, path in ends[0].plan.origins.items()}
    whole = replace(ends[0], plan=replace(ends[0].plan, origins=origins))
    return Shards(ends=(whole, *ends[1:]), trials=trials, n_torn=n_torn)


def _files(place: Path) -> list[Path]:
    if not place.is_dir():
        message = f"{place} is no folder. Give the folder that holds what a job left: .agenteval/runs/ID"
        raise ShardError(message)
    return sorted(place.rglob(_FILES))


def _read(path: Path) -> ShardEnd:
    try:
        return decode(ShardEnd, parse(path.read_bytes().decode("utf-8")))
    except (OSError, UnicodeDecodeError, InvalidValue) as error:
        message = f"{path} cannot be read: {error}. Run that shard again, with the version that merges"
        raise ShardError(message) from error


def _all_once(found: Sequence[tuple[Path, ShardEnd]]) -> list[ShardEnd]:
    """The shards in their order: each is there, and none twice."""
    by_number: dict[int, tuple[Path, ShardEnd]] = {}
    of = found[0][1].shard.of
    for path, end in found:
        if end.shard.of != of:
            message = (
                f"{found[0][0]} is {found[0][1].shard}, and {path} is {end.shard}: these are no parts of one run. "
                f"Deal the run anew, into as many shards in each job"
            )
            raise ShardError(message)
        before = by_number.setdefault(end.shard.number, (path, end))
        if before[0] != path:
            message = f"{end.shard} of run {end.run.id} is there twice, {before[0]} and {path}. Leave one of them out"
            raise ShardError(message)
    missing = [str(number) for number in range(1, of + 1) if number not in by_number]
    if missing:
        run = found[0][1].run.id
        step = f"Give the folder of its job, or run it again: --agent-eval-shard {missing[0]}/{of}"
        message = f"of the {of} shards of run {run} there is no {', '.join(missing)}. {step} --agent-eval-run-id {run}"
        raise ShardError(message)
    return [by_number[number][1] for number in sorted(by_number)]


def _refuse_others(ends: Sequence[ShardEnd]) -> None:
    """All must be parts of one whole, asked for in the same way, and must have come to their end."""
    first = ends[0]
    for end in ends:
        again = f"Run it again with --agent-eval-shard {end.shard.number}/{end.shard.of}, from the same commit"
        for cause in end.causes:
            if cause.code in _UNFINISHED:
                message = f"{end.shard} of run {end.run.id} did not come to its end ({cause.text}). {again}"
                raise ShardError(message)
        why = _difference(first, end)
        if why:
            message = f"{end.shard} is of another plan than {first.shard}: {why}. {again} and the same options"
            raise ShardError(message)


def _difference(one: ShardEnd, other: ShardEnd) -> str:
    """In which way the two are no parts of one whole, or the empty text."""
    for end, lacking in ((one, other), (other, one)):
        only = sorted(set(end.plan.planned) - set(lacking.plan.planned))
        if only:
            suite, case, attempt = only[0]
            return f"{end.shard} alone has attempt {attempt} of case {case!r} of {suite}"
    differing = [
        each.name
        for each in fields(RunOptions)
        if getattr(_shared(one.options), each.name) != getattr(_shared(other.options), each.name)
    ]
    if differing:
        return f"the options differ ({', '.join(differing)})"
    if replace(one.plan, cases_digest="", origins={}) != replace(other.plan, cases_digest="", origins={}):
        return "the tests or their metrics differ"
    return "the same cases ask otherwise" if one.plan.cases_digest != other.plan.cases_digest else ""


def _shared(options: RunOptions) -> RunOptions:
    """The options without those that each machine may have its own of."""
    return replace(options, shard=None, concurrency=None, budget=None, stops_early=False)


def _joined(found: Sequence[tuple[Path, ShardEnd]]) -> tuple[list[Trial], int]:
    """The scored trials of each shard, from the journals beside it, and how many lines could not be read."""
    trials: list[Trial] = []
    n_torn = 0
    for folder in dict.fromkeys(path.parent for path, _ in found):
        content = read_journals(folder)
        n_torn += content.n_torn
        here = [end for path, end in found if path.parent == folder]
        own = {case for end in here for case in end.shard.cases(_cases(end.plan))}
        planned = here[0].plan.keys()
        # A call that no test took has no scores; what is of another shard was left by a session that did not end.
        trials += [one for one in content.trials if one.scores and one.key[:2] in own and one.key in planned]
    return sorted(trials, key=lambda trial: trial.key), n_torn


def _cases(plan: Plan) -> set[tuple[str, str]]:
    return {(suite, case) for suite, case, _ in plan.planned}


def _from(root: Path, path: str) -> str:
    """The path from the root where it lies below, so that it is found on another machine."""
    found = Path(path)
    return found.relative_to(root).as_posix() if path and found.is_relative_to(root) else path


def notes(shards: Shards) -> list[str]:
    """What each shard made, and what is missing of it."""
    lines = []
    for end in shards.ends:
        ended = "; ".join(cause.text for cause in end.causes)
        lines.append(f"{end.shard}: {counted(len(shards.of(end)), 'trial')}{f'; {ended}' if ended else ''}")
        for reason, count in end.not_called.items():
            lines.append(f"  {counted(count, 'item was', 'items were')} not called: {reason}")
    if shards.n_torn:
        torn = counted(shards.n_torn, "line of the journals is", "lines of the journals are")
        lines.append(f"{torn} torn and left out: what was not finished is not there")
    return lines
