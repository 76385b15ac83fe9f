"""Each call of the system fails in its turn: nothing acknowledged is lost, and nothing is green by mistake."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from pytest_agenteval.app.approve import Request, approve
from pytest_agenteval.app.judging import Judged, judge_run, seal
from pytest_agenteval.app.registry import Registry
from pytest_agenteval.app.reporting import render_report
from pytest_agenteval.app.runs import Plan, RunOptions
from pytest_agenteval.app.verdictfile import conclude, read_verdict
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.errors import IntegrityError
from pytest_agenteval.model.run import FinishedRun, Run
from pytest_agenteval.pipeline import exits
from pytest_agenteval.store.files import append_line
from pytest_agenteval.store.journal import Journal, kept_trials
from tests.app.projects import AT, CLOCK, cases, gate, project, run
from tests.crash.faults import KINDS, Faults
from tests.store.rows import score, trial
from tests.store.test_journal import safe

ROOT = Path(__file__).parents[2]
FULL = "PYTEST_AGENTEVAL_FULL" in os.environ
SOME = list(KINDS) if FULL else ["EIO", "SHORT"]
FEW = list(KINDS) if FULL else ["ENOSPC"]
"""Of each kind in the full form alone: rendering a report takes time."""

Scenario = Callable[[Workspace], list[str]]
"""What is done in a project; gives what it was told went wrong, and raises where what it was told is not so."""


@pytest.fixture(scope="module")
def approved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a baseline and two runs."""
    root = tmp_path_factory.mktemp("approved")
    workspace = project(root, gate("success = { margin = 0.5 }"))
    run(workspace, cases(10))
    _approve(workspace, "first release")
    run(workspace, cases(10))
    shutil.rmtree(root / ".agenteval" / "runs")  # sealed journals, whose removal may fail unheard
    return root


def _approve(workspace: Workspace, reason: str) -> None:
    request = Request(suite="refunds", by="Dana", reason=reason, at=AT, metrics=("success",), accept_drop=True)
    approve(workspace, request)


def each_fault(
    approved: Path, tmp_path: Path, kind: str, scenario: Scenario, check: Callable[[Workspace, list[str]], None]
) -> None:
    """Run the scenario with the k-th call failing, for k = 1… until there are fewer, once and lastingly."""
    for lasting in (False, True):
        for k in count(1):
            root = tmp_path / f"{'lasting' if lasting else 'once'}-{k}"
            shutil.copytree(approved, root)
            workspace = Workspace.at(root)
            faults = Faults(root, KINDS[kind], k, lasting=lasting)
            with pytest.MonkeyPatch.context() as patch:
                faults.inject(patch)
                said = scenario(workspace)
            assert bool(said) == bool(faults.hit and kind != "SHORT"), (k, faults.hit, said)
            for text in said:
                assert str(root) in text
                assert os.strerror(KINDS[kind]) in text
                assert ("durability unknown for" in text) == (faults.hit == "fsync")
            check(Workspace.at(root), said)
            if not faults.hit:
                assert k > 5
                break
            shutil.rmtree(root)


def told(act: Callable[[], object]) -> list[str]:
    """What an act was told went wrong."""
    try:
        act()
    except IntegrityError as error:
        return [str(error)]
    return []


@pytest.mark.parametrize("kind", SOME)
def test_what_a_journal_has_taken_is_there_and_a_segment_is_whole_or_not_there(
    kind: str, approved: Path, tmp_path: Path
) -> None:
    acknowledged: set[str] = set()

    def write(workspace: Workspace) -> list[str]:
        """Whatever becomes of one trial, the next is written: so do the threads of an engine."""
        acknowledged.clear()
        folder = Path(workspace.settings.root) / "runs" / "R"
        trials = [safe(trial(f"c{n}")) for n in range(4)]
        journals: list[Journal] = []
        said = told(lambda: journals.append(Journal(folder)))
        for journal in journals:
            for one in trials:
                problems = told(partial(journal.called, one)) or told(partial(journal.scored, one, [score(1.0)]))
                said += problems
                if not problems:
                    acknowledged.add(one.id)
            said += told(journal.close)
        kept = [safe(one.with_scores([score(1.0)])) for one in trials]
        judged = Judged(finished=FinishedRun(run=Run(id="R", started=AT), trials=tuple(kept)))
        causes = seal(judged, workspace)
        assert {cause.code for cause in causes} <= {exits.INTEGRITY}
        return said + [cause.text for cause in causes]

    def check(workspace: Workspace, said: list[str]) -> None:
        kept = kept_trials(Path(workspace.settings.root) / "runs" / "R")
        assert acknowledged <= {name for name, one in kept.items() if one.scores}
        assert workspace.history.problems() == []
        if workspace.history.has("R"):
            assert len(workspace.history.read("R").trials) == 4
        else:
            assert said

    each_fault(approved, tmp_path, kind, write, check)


@pytest.mark.parametrize("kind", SOME)
def test_a_baseline_is_the_old_one_or_the_new_one_and_never_without_its_record(
    kind: str, approved: Path, tmp_path: Path
) -> None:
    def check(workspace: Workspace, said: list[str]) -> None:
        baseline = workspace.baselines.read("refunds", "success")
        assert baseline is not None
        torn = told(workspace.audit.records)
        reasons = [] if torn else [record.change.reason for record in workspace.audit.records()]
        assert said or reasons == ["first release", "better"]
        if baseline.approval.reason == "better":
            assert torn or "better" in reasons
        else:
            assert said
        if torn:  # whatever else is well: a run is red
            judged = conclude(Judged(finished=FinishedRun(run=Run(id="S", started=AT), trials=())), "merge", workspace)
            assert judged.code == exits.INTEGRITY

    each_fault(approved, tmp_path, kind, lambda workspace: told(lambda: _approve(workspace, "better")), check)


@pytest.mark.parametrize("kind", FEW)
def test_a_verdict_that_is_not_on_the_disk_is_red_and_a_report_is_whole_or_the_old_one(
    kind: str, approved: Path, tmp_path: Path
) -> None:
    finished = Workspace.at(approved).history.read(Workspace.at(approved).history.runs()[-1].id)
    keys = tuple((suite, case, str(attempt)) for suite, case, attempt in (one.key for one in finished.trials))
    plan = Plan(planned=keys, specs=finished.run.specs)
    ended = replace(finished.run, ended=AT)

    def write(workspace: Workspace) -> list[str]:
        judged = judge_run(ended, finished.trials, plan, workspace, RunOptions())
        assert judged.code == exits.OK
        judged = conclude(judged, "merge", workspace)
        said = [cause.text for cause in judged.causes]
        assert judged.code == (exits.INTEGRITY if said else exits.OK)
        return said + told(lambda: render_report(workspace, Registry(), now=CLOCK.at))

    def check(workspace: Workspace, said: list[str]) -> None:
        if workspace.verdict_file.exists():
            assert read_verdict(workspace.verdict_file).run == ended.id
        else:
            assert said
        for page in Path(workspace.settings.root).glob("reports/*"):
            assert page.suffix in {".html", ".md"}
            assert page.read_text("utf-8").rstrip().endswith("</html>") or page.suffix == ".md"

    each_fault(approved, tmp_path, kind, write, check)


def test_a_failed_fsync_is_not_tried_again_and_trusted(tmp_path: Path) -> None:
    faults = Faults(tmp_path, errno.EIO, 1, lasting=False, only="fsync")
    journal = Journal(tmp_path / "runs")
    with pytest.MonkeyPatch.context() as patch:
        faults.inject(patch)
        with pytest.raises(IntegrityError, match=r"durability unknown for .*log\.jsonl: .*Input/output error"):
            append_line(tmp_path / "log.jsonl", "x")
    assert faults.hit == "fsync"
    journal.close()


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from pytest_agenteval.errors import IntegrityError
from pytest_agenteval.store.journal import Journal
from tests.store.rows import trial
from tests.store.test_journal import safe
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
journal = Journal(Path(sys.argv[1]))
for number in range(60):
    try:
        journal.called(safe(trial(f"c{number}")))
        print(f"c{number}")
    except IntegrityError as error:
        print(error, file=sys.stderr)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))  # room is made
"""


@pytest.mark.parametrize("size", [10, 500, 4097, *(range(100, 20_000, 1000) if FULL else ())])
def test_a_disk_that_is_full_loses_nothing_that_was_taken_before_or_after(size: int, tmp_path: Path) -> None:
    words = [sys.executable, "-c", FULL_DISK, str(tmp_path / "R"), str(size)]
    done = subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True)
    assert "journal-main.jsonl could not be written: File too large. Make room" in done.stderr
    kept = {one.case.id for one in kept_trials(tmp_path / "R").values()}
    assert set(done.stdout.split()) == kept
    assert len(kept) == 59


@pytest.mark.parametrize("place", ["history", ".agenteval"])
def test_a_folder_that_cannot_be_written_is_refused_before_any_call(place: str, pytester: pytest.Pytester) -> None:
    """A file in its place: that holds for root, too."""
    pytester.makepyprojecttoml('[tool.pytest-agenteval]\nowner = "Dana <dana@example.org>"\n')
    pytester.makeconftest("import os, pytest\n@pytest.fixture\ndef agent():\n    return lambda _: os.mkdir('called')\n")
    case = "@agent_cases(Case(id='a', input='x'))\ndef test_a(trial): pass\n"
    pytester.makepyfile(f"from pytest_agenteval import *\n{case}")
    (pytester.path / place).write_text("")
    result = pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider", "--agent-eval")
    assert result.ret == exits.INTEGRITY
    assert f"{place}" in result.stderr.str()
    assert "Make room, or give a folder that may be written" in result.stderr.str()
    assert not (pytester.path / "called").exists()
