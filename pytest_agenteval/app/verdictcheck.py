"""Whether verdict.json is to be relied on: what CI asks after the run, in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pytest_agenteval.app.base import read_base
from pytest_agenteval.app.judging import Cause
from pytest_agenteval.app.regate import judge_again
from pytest_agenteval.app.runs import RunOptions
from pytest_agenteval.app.verdictfile import (
    VerdictDocument,
    audit_head,
    baseline_digests,
    n_cases,
    read_verdict,
    scores_digest,
)
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.errors import HistoryError, IntegrityError
from pytest_agenteval.model.run import FinishedRun, Run
from pytest_agenteval.model.verdict import Outcome
from pytest_agenteval.pipeline import exits
from pytest_agenteval.pipeline.words import counted
from pytest_agenteval.store.gitbase import GitBase
from pytest_agenteval.store.history.segments import read_segment, segment_path


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What is asked of the verdict: of which run it is, how old at most, over how many cases at least.

    ``base`` is the branch or commit by whose merge base with HEAD the run must have been judged.
    """

    now: datetime
    run: str | None = None
    max_age: timedelta | None = None
    expect_cases: int | None = None
    file: Path | None = None
    base: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What came of it: what speaks against the verdict, and in one sentence what was looked at."""

    findings: tuple[Cause, ...] = ()
    sentence: str = ""

    @property
    def code(self) -> int:
        """The exit code that stands; 0 for a sound, whole, green verdict alone."""
        return exits.standing(cause.code for cause in self.findings)


def check_verdict(workspace: Workspace, demand: Demand) -> Checked:
    """Look at the verdict of the last run, or at the file that ``demand`` names. Nothing is written.

    Raises UsageError where the base that ``demand`` names cannot be had, or cannot be read.
    """
    try:
        document = read_verdict(demand.file or workspace.verdict_file)
    except IntegrityError as error:
        return Checked(findings=(Cause(code=exits.INTEGRITY, text=str(error)),))
    findings = tuple(Cause(code=code, text=text) for look in _LOOKS for code, text in look(document, demand, workspace))
    return Checked(findings=findings, sentence=_sentence(document, demand))


_Finding = tuple[int, str]
_Look = Callable[[VerdictDocument, Demand, Workspace], Iterator[_Finding]]


def _of_this_run(found: VerdictDocument, demand: Demand, _workspace: Workspace) -> Iterator[_Finding]:
    if demand.run is not None and found.run != demand.run:
        yield exits.INTEGRITY, f"it is of run {found.run}, not of run {demand.run}. Run pytest --agent-eval again"


def _by_this_base(found: VerdictDocument, demand: Demand, workspace: Workspace) -> Iterator[_Finding]:
    if demand.base is None:
        return
    due = GitBase.merge_base(Path(workspace.settings.root).resolve(), demand.base).sha
    if found.base != due:
        how = f"by the base {found.base[:12]}" if found.base else "without a base"
        step = f"Run pytest --agent-eval --agent-eval-base {demand.base}, and see what switched it off"
        yield exits.INTEGRITY, f"its run was judged {how}, and {demand.base} is {due[:12]}. {step}"


def _of_this_time(found: VerdictDocument, demand: Demand, _workspace: Workspace) -> Iterator[_Finding]:
    age = demand.now - found.ended
    if age < timedelta(0):
        yield exits.INTEGRITY, f"its run ended at {found.ended:%Y-%m-%d %H:%M:%S} UTC, which is yet to come"
    elif demand.max_age is not None and age > demand.max_age:
        allowed = f"and {in_words(demand.max_age)} are allowed"
        yield exits.INTEGRITY, f"its run ended {in_words(age)} ago, {allowed}. Run pytest --agent-eval again"


def _whole(found: VerdictDocument, demand: Demand, _workspace: Workspace) -> Iterator[_Finding]:
    if found.partial:
        yield exits.INCONCLUSIVE, f"only a part of {', '.join(found.partial)} ran. Run the whole suite"
    if not found.verdicts and found.exit_code == exits.OK:
        yield exits.INCONCLUSIVE, "it judged nothing. Run pytest --agent-eval over the suite"
    if demand.expect_cases is not None and found.cases < demand.expect_cases:
        few = f"it is of {counted(found.cases, 'case')}, and {demand.expect_cases:,} are expected"
        yield exits.INCONCLUSIVE, f"{few}. Bring the cases back, or say how many there are now"


def _agrees_with_itself(found: VerdictDocument, _demand: Demand, _workspace: Workspace) -> Iterator[_Finding]:
    told = {cause.code for cause in found.causes}
    due = exits.standing(told)
    if found.exit_code != due:
        yield exits.INTEGRITY, f"it gives exit code {found.exit_code}, but {due} follows from its causes"
    for verdict in found.verdicts:
        code = exits.code_of(verdict, found.gate)
        if code not in (exits.OK, *told) and verdict.suite not in found.partial:
            what = f"its verdict on {verdict.suite}/{verdict.metric} is {verdict.outcome}"
            yield exits.INTEGRITY, f"{what}, but no cause has the code {code}"


def _scores_are_kept(found: VerdictDocument, demand: Demand, workspace: Workspace) -> Iterator[_Finding]:
    """From the segment itself: the index beside the history is anybody's to write."""
    if not found.trials:
        return
    path = segment_path(workspace.history.root, Run(id=found.run, started=found.started))
    if not path.is_file():
        step = "Without it nothing shows what the scores were: check where pytest ran, or keep both in one place"
        yield exits.INTEGRITY, f"its run is not in the history, there is no {path}. {step}"
        return
    try:
        kept = read_segment(path)
    except HistoryError as error:
        yield exits.INTEGRITY, str(error)
        return
    same = (kept.run.id, len(kept.trials), n_cases(kept.trials)) == (found.run, found.trials, found.cases)
    if same and scores_digest(kept) == found.scores_digest:
        yield from _judged_anew(found, kept, demand, workspace)
    else:
        what = "its scores are not those that the history has of this run"
        yield exits.INTEGRITY, f"{what}. Run pytest --agent-eval again"


def _judged_anew(found: VerdictDocument, kept: FinishedRun, demand: Demand, workspace: Workspace) -> Iterator[_Finding]:
    """Whether the scores give in this process what they gave in one in which agents ran."""
    base = read_base(workspace, demand.base, RunOptions()) if demand.base else None
    verdicts = judge_again(workspace, kept, found.gate, base).verdicts
    # What is loosened here may be allowed by a base, and what has no baseline here may have one there.
    by_base = {Outcome.LOOSENED, Outcome.NO_BASELINE} if found.base and base is None else set()
    red = [
        f"{one.suite}/{one.metric}: {one.outcome}"
        for one in verdicts
        if one.outcome not in by_base and exits.code_of(one, found.gate) != exits.OK
    ]
    if found.exit_code == exits.OK and not found.partial and red:
        these = ", ".join(red[:3])
        yield (
            exits.INTEGRITY,
            f"it is green, but its scores judged anew are not ({these}). Trust this, and look who wrote it",
        )


def _baselines_are_those(found: VerdictDocument, _demand: Demand, workspace: Workspace) -> Iterator[_Finding]:
    now = baseline_digests(sorted({one.suite for one in found.estimates}), workspace)
    other = sorted(name for name in now.keys() | found.baselines.keys() if now.get(name) != found.baselines.get(name))
    if other:
        these = f"the baseline of {', '.join(other[:3])} is not the one that the run was compared with"
        yield exits.INTEGRITY, f"{these}. Run pytest --agent-eval again"


def _audit_has_only_grown(found: VerdictDocument, _demand: Demand, workspace: Workspace) -> Iterator[_Finding]:
    try:
        records = workspace.audit.records()
    except IntegrityError as error:
        yield exits.INTEGRITY, str(error)
        return
    if audit_head(records[: found.audit.records]) != found.audit:
        yield exits.INTEGRITY, "the audit log lacks what it held when the run ended. Restore it from git"


def _green(found: VerdictDocument, _demand: Demand, _workspace: Workspace) -> Iterator[_Finding]:
    if found.exit_code != exits.OK:
        causes = "; ".join(dict.fromkeys(cause.text for cause in found.causes)) or "no cause is told"
        yield found.exit_code, f"the run ended with exit code {found.exit_code}: {causes}"


_LOOKS: tuple[_Look, ...] = (
    _of_this_run,
    _by_this_base,
    _of_this_time,
    _whole,
    _agrees_with_itself,
    _scores_are_kept,
    _baselines_are_those,
    _audit_has_only_grown,
    _green,
)


def in_words(span: timedelta) -> str:
    """'40 s', '12 min', '3 h', '2 days'; the largest unit that fits, rounded down.

    >>> in_words(timedelta(minutes=89))
    '89 min'
    """
    seconds = int(span.total_seconds())
    for unit, size in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size:,} {unit}"
    return f"{seconds} s"


def _sentence(found: VerdictDocument, demand: Demand) -> str:
    over = f"{counted(found.cases, 'case')} and {counted(len(found.verdicts), 'verdict')}"
    ago = in_words(max(demand.now - found.ended, timedelta(0)))
    looked = "its file, its causes, the scores in the history, the baselines and the audit log were looked at"
    return f"run {found.run}, ended {ago} ago, over {over}: {looked}"
