"""What is settled depends on the attempts up to a look, whatever the order in which they come in."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_agenteval.app.adaptive import AdaptiveRepeats, Settled
from pytest_agenteval.app.judging import Judged
from pytest_agenteval.app.runs import Job, Plan, plan_of
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.contracts import Metric
from pytest_agenteval.metrics.declare import metric
from pytest_agenteval.model.case import Case
from pytest_agenteval.model.codec import decode, encode
from pytest_agenteval.model.run import FinishedRun, Rounds, Run
from pytest_agenteval.model.trajectory import Trajectory
from pytest_agenteval.model.trial import Trial, TrialKey
from tests.pipeline.measures import AT, score

CAP = 4


@metric(better="higher", unit="fraction", aggregate="pass_hat_4")
def right(trial: Trial) -> bool:
    """Whether it is."""
    return bool(trial.output)


def case(name: str, suite: str = "s") -> Case:
    return Case(id=name, suite=suite, input="q", tags=("must_pass",) if name == "c0" else ())


def jobs(
    *, cases: Sequence[str] = ("c0", "c1", "c2"), fixed: Sequence[str] = (), metrics: tuple[Metric, ...] = ()
) -> dict[str, Job]:
    """An item for each attempt at these cases, of a second test for the fixed ones."""
    made = {
        f"t[{name}-r{attempt}]": Job(suite="s", case=case(name), attempt=attempt, metrics=metrics, cap=CAP)
        for attempt in range(1, CAP + 1)
        for name in cases
    }
    return made | {f"f[{name}]": Job(suite="s", case=case(name), metrics=metrics) for name in fixed}


class Run4:
    """A run of up to four attempts whose judge finds the suite settled at the look ``enough``."""

    def __init__(self, folder: Path, made: dict[str, Job], enough: int = CAP) -> None:
        self.jobs, self.trials, self.looks = made, dict[TrialKey, Trial](), list[tuple[int, set[TrialKey]]]()
        self.plan = plan_of(made)
        self.enough = enough
        self.repeats = AdaptiveRepeats(self.plan, self.trials, self.judged, Workspace.at(folder))

    def judged(self, plan: Plan, trials: Sequence[Trial]) -> Judged:
        look = plan.rounds["s"].used
        assert {trial.key for trial in trials} == plan.keys()
        self.looks.append((look, plan.keys()))
        run = FinishedRun(run=Run(id="r", started=AT), trials=trials)
        return Judged(finished=run, settled=frozenset({"s"} if look >= self.enough else ()))

    def over(self, node: str, value: float = 1.0, *, failed: bool = False) -> bool:
        job = self.jobs[node]
        scores = tuple(score(value, one.spec) for one in job.metrics)
        trial = Trial(
            id=node, case=job.case, attempt=job.attempt, at=AT, trajectory=Trajectory(output="x"), scores=scores
        )
        self.trials[trial.key] = trial
        if failed:
            self.repeats.failed(trial)
        return self.repeats.over(node)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("project")
    (root / "pyproject.toml").write_text("[tool.pytest-agenteval]\n", "utf-8")
    return root


def test_a_look_is_taken_when_a_round_is_complete_and_at_none_of_its_items_before(folder: Path) -> None:
    run = Run4(folder, jobs())
    for node in list(run.jobs)[:5]:
        run.over(node)
    assert [look for look, _ in run.looks] == [1]
    run.over(list(run.jobs)[5])
    assert [look for look, _ in run.looks] == [1, 2]
    assert run.looks[1][1] == {("s", name, attempt) for name in ("c0", "c1", "c2") for attempt in (1, 2)}


def test_the_last_round_is_left_to_the_end_of_the_session(folder: Path) -> None:
    run = Run4(folder, jobs())
    assert not any(run.over(node) for node in run.jobs)
    assert [look for look, _ in run.looks] == [1, 2, 3]
    assert run.repeats.applied().rounds == {"s": Rounds(used=CAP, cap=CAP, calls=12, saved=0)}


@given(seed=st.integers(0, 10**6))
@settings(max_examples=30)
def test_the_order_in_which_items_come_in_changes_nothing_that_counts(folder: Path, seed: int) -> None:
    made = jobs(cases=("c1", "c2", "c3"), fixed=("c3",), metrics=(right,))
    worth = {node: 0.0 if node == "t[c1-r1]" else 1.0 for node in made}
    ends = []
    for order in (list(made), random.Random(seed).sample(list(made), len(made))):
        run = Run4(folder, made, enough=2)
        for node in order:
            run.over(node, worth[node])
        ends.append((run.repeats.settled.suites, run.repeats.applied().keys()))
    assert ends[0] == ends[1]
    assert ends[0][0] == {"s": 2}
    assert ends[0][1] == {("s", "c1", 1)} | {("s", name, attempt) for name in ("c2", "c3") for attempt in (1, 2)}


def test_what_was_made_all_the_same_is_not_saved(folder: Path) -> None:
    run = Run4(folder, jobs(), enough=1)
    for node in list(run.jobs)[:5]:  # two of the second round were under way
        run.over(node)
    assert run.repeats.applied().rounds == {"s": Rounds(used=1, cap=CAP, calls=12, saved=7)}
    assert run.repeats.counts("s", 1)
    assert not run.repeats.counts("s", 2)


def test_an_item_that_comes_in_twice_completes_no_round(folder: Path) -> None:
    run = Run4(folder, jobs(), enough=1)
    for _ in range(3):
        assert not run.over("t[c0-r1]")
    assert not run.over("t[c1-r1]")
    assert run.over("t[c2-r1]")


def test_a_trial_that_two_tests_share_is_complete_when_both_have_scored_it(folder: Path) -> None:
    run = Run4(folder, jobs(cases=("c1",), fixed=("c1",)), enough=1)
    assert not run.over("t[c1-r1]")
    assert run.over("f[c1]")


def test_a_failed_must_pass_case_needs_no_more_but_other_failed_ones_do(folder: Path) -> None:
    run = Run4(folder, jobs())
    assert run.over("t[c0-r1]", failed=True)
    assert not run.over("t[c1-r1]", failed=True)
    assert run.repeats.settled.cases == {"s": {"c0": 1}}


def test_a_case_that_a_test_of_fixed_repeats_has_too_makes_all_its_attempts(folder: Path) -> None:
    run = Run4(folder, jobs(cases=("c0",), fixed=("c0",)))
    run.over("t[c0-r1]", failed=True)
    run.over("f[c0]")
    assert run.repeats.settled.cases == {}


def test_a_suite_of_which_a_part_runs_is_not_looked_at(folder: Path) -> None:
    run = Run4(folder, jobs(), enough=1)
    run.repeats = AdaptiveRepeats(plan_of(run.jobs, partial=["s"]), run.trials, run.judged, Workspace.at(folder))
    assert not any(run.over(node) for node in run.jobs)
    assert run.looks == []


def test_a_look_that_cannot_be_judged_settles_nothing(folder: Path) -> None:
    run = Run4(folder, jobs())

    def broken(_plan: Plan, _trials: Sequence[Trial]) -> Judged:
        message = "the disk is gone"
        raise OSError(message)

    run.repeats = AdaptiveRepeats(run.plan, run.trials, broken, Workspace.at(folder))
    assert not any(run.over(node) for node in run.jobs)


def test_what_is_settled_says_why_and_survives_a_file() -> None:
    settled = Settled(caps={"s": 5, "t": 3}, suites={"s": 2}, cases={"t": {"c": 1}})
    assert settled.why_not(("s", "c", 3)) == "not needed: the verdict of s was settled after 2 of 5 attempts"
    assert settled.why_not(("t", "c", 2)) == "not needed: the value of the case was settled after 1 of 3 attempts"
    assert [settled.needs(key) for key in (("s", "c", 2), ("t", "c", 1), ("t", "d", 3), ("u", "c", 9))] == [True] * 4
    assert decode(Settled, encode(settled)) == settled


def test_each_attempt_of_an_adaptive_suite_is_a_share_of_its_own() -> None:
    shares = plan_of(jobs(cases=("c1", "c2"), fixed=("c1",))).shares
    assert shares["t[c1-r1]"] == shares["f[c1]"]
    assert len(set(shares.values())) == 2 * CAP
