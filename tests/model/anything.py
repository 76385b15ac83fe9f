"""Hypothesis strategies for every type of the model."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from pytest_agenteval.model.baseline import Approval, Bar, Baseline
from pytest_agenteval.model.case import Case
from pytest_agenteval.model.change import Change
from pytest_agenteval.model.estimate import CaseScores, Estimate
from pytest_agenteval.model.recording import RecordedTrial, RecordingHeader
from pytest_agenteval.model.run import Run
from pytest_agenteval.model.score import MetricSpec, Score
from pytest_agenteval.model.trajectory import STEP_KINDS, AgentIdentity, Fault, Step, Trajectory
from pytest_agenteval.model.trial import ORIGINS, Trial
from pytest_agenteval.model.verdict import Comparison, Outcome, Reason, Verdict

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
words = st.text("abcdefghij-é 日", min_size=1, max_size=12).filter(str.strip)
names = st.from_regex(r"[a-z][a-z0-9_]{0,10}", fullmatch=True)
numbers = st.floats(allow_nan=False, allow_infinity=False)
positives = st.floats(0, 1e9)
counts = st.integers(0, 10**6)
fractions = st.floats(0, 1)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
mappings = st.dictionaries(texts, values, max_size=3)
zones = st.just(UTC) | st.integers(-12, 14).map(lambda hours: timezone(timedelta(hours=hours)))
times = st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=zones)  # noqa: DTZ001  # bounds are naive

cases = st.builds(
    Case,
    id=words,
    input=values,
    suite=texts,
    expect=mappings,
    tags=st.lists(texts, max_size=3).map(tuple),
    failure_mode=st.none() | texts,
    provenance=st.none() | mappings,
)
identities = st.builds(AgentIdentity, name=texts, version=texts, model=texts, prompt=texts, tools=texts)
faults = st.builds(Fault, kind=st.sampled_from(["agent", "infrastructure"]), type=texts, message=texts)
steps = st.builds(
    Step,
    kind=st.sampled_from(STEP_KINDS),
    name=texts,
    input=values,
    output=values,
    error=st.none() | texts,
    seconds=st.none() | positives,
    tokens_in=st.none() | counts,
    tokens_out=st.none() | counts,
    cost_usd=st.none() | positives,
)
_told = {
    "steps": st.none() | st.lists(steps, max_size=2).map(tuple),
    "agent": identities,
    "confidence": st.none() | fractions,
    "seconds": st.none() | positives,
    "recorded": mappings,
}
trajectories = st.builds(Trajectory, output=values.filter(lambda value: value is not None), **_told) | st.builds(
    Trajectory, error=faults, **_told
)
scores = st.builds(
    Score,
    metric=names,
    value=numbers | st.booleans(),
    reason=texts,
    metric_version=st.integers(1, 9),
    evidence=mappings,
) | st.builds(Score, metric=names, value=st.none(), reason=words)
trials = st.builds(
    Trial,
    id=texts,
    case=cases,
    trajectory=trajectories,
    origin=st.sampled_from(ORIGINS),
    attempt=st.integers(1, 99),
    retries=st.integers(0, 9),
    at=times,
    scores=st.lists(scores, max_size=2, unique_by=lambda score: score.metric).map(tuple),
)
specs = st.builds(
    MetricSpec,
    name=names,
    version=st.integers(1, 9),
    better=st.sampled_from(["higher", "lower"]),
    unit=texts,
    kind=st.sampled_from(["binary", "bounded"]),
    range=st.tuples(st.floats(-9, 0), st.floats(1, 9)),
    aggregate=st.sampled_from(["mean", "p95", "pass_at_3", "pass_hat_1", "ece"]),
    needs=st.lists(texts, max_size=2).map(tuple),
    on_agent_error=st.sampled_from(["fail", "missing", "ask"]),
    deterministic=st.booleans(),
) | st.builds(MetricSpec, name=names, kind=st.just("unbounded"), range=st.none(), aggregate=st.just("p50"))
estimates = st.builds(
    lambda ends, **rest: Estimate(low=ends[0], value=ends[1], high=ends[2], **rest),
    st.tuples(numbers, numbers, numbers).map(sorted),
    suite=texts,
    metric=names,
    slice=texts,
    n=st.integers(1, 9),
    n_not_evaluated=counts,
    confidence=fractions,
    method=texts,
) | st.builds(Estimate, suite=texts, metric=names, n=st.just(0), value=st.none())
case_scores = st.lists(st.tuples(numbers, texts), min_size=1, max_size=3).flatmap(
    lambda pairs: st.builds(
        CaseScores,
        fingerprint=texts,
        values=st.just(tuple(value for value, _ in pairs)),
        answers=st.just(tuple(answer for _, answer in pairs)) | st.just(()),
    )
)
bars = st.builds(Bar, floor=st.none() | numbers, ceiling=st.none() | numbers, margin=st.none() | positives)
approvals = st.builds(Approval, by=words, at=times, reason=words, run=words)
baselines = st.builds(
    Baseline,
    suite=texts,
    spec=specs,
    bar=bars,
    screen=st.dictionaries(texts, case_scores, max_size=2),
    held_back=st.dictionaries(texts, case_scores, max_size=2),
    estimate=estimates,
    approval=approvals,
)
_ids = st.lists(texts, max_size=2).map(tuple)
comparisons = st.builds(
    Comparison,
    stage=st.sampled_from(["screen", "confirmation"]),
    reference=estimates,
    current=estimates,
    n_pairs=counts,
    delta=st.none() | numbers,
    low=st.none() | numbers,
    high=st.none() | numbers,
    p_value=st.none() | fractions,
    test=texts,
    lost=_ids,
    won=_ids,
    added=_ids,
    removed=_ids,
    edited=_ids,
    regraded=_ids,
    n_same_answers=counts,
    cases_needed=st.none() | counts,
)
verdicts = st.builds(
    Verdict,
    suite=texts,
    metric=names,
    outcome=st.sampled_from(Outcome),
    reason=st.sampled_from(Reason),
    confirmed=st.booleans(),
    estimate=st.none() | estimates,
    comparison=st.none() | comparisons,
    message=texts,
    next_step=words,
)
runs = st.builds(
    Run,
    id=texts,
    started=times,
    ended=st.none() | times,
    mode=st.sampled_from(["live", "replay", "import"]),
    partial=_ids,
    candidate=texts,
    recorded=st.dictionaries(texts, times, max_size=2),
    specs=st.dictionaries(names, specs, max_size=2),
    versions=st.dictionaries(texts, texts, max_size=2),
)
changes = st.builds(
    Change, at=times, actor=words, action=words, subject=words, reason=words, before=values, after=values
)
headers = st.builds(RecordingHeader, agent=identities, at=st.none() | times, suite=texts, source=texts, licence=texts)
recorded = st.builds(
    RecordedTrial,
    case=texts,
    attempt=st.integers(1, 99),
    fingerprint=texts,
    input=values,
    expect=st.none() | mappings,
    trajectory=trajectories,
    at=st.none() | times,
)
EVERY_TYPE: tuple[tuple[type, st.SearchStrategy[Any]], ...] = (
    (Case, cases),
    (AgentIdentity, identities),
    (Fault, faults),
    (Step, steps),
    (Trajectory, trajectories),
    (Score, scores),
    (Trial, trials),
    (MetricSpec, specs),
    (Estimate, estimates),
    (CaseScores, case_scores),
    (Bar, bars),
    (Approval, approvals),
    (Baseline, baselines),
    (Comparison, comparisons),
    (Verdict, verdicts),
    (Run, runs),
    (Change, changes),
    (RecordingHeader, headers),
    (RecordedTrial, recorded),
)
