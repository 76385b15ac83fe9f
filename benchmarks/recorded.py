"""What the gate says of every pair of recorded runs. Run: ``python -m benchmarks.recorded``.

It judges each pair of runs in the committed suites as a replay is judged (one look, Holm's correction over
the suite's metrics), prints the page of all pairs, and writes it to the docs.
"""

from __future__ import annotations

import sys
import textwrap
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import combinations
from pathlib import Path

from pytest_agenteval import stats
from pytest_agenteval.agents.replay import read_recording
from pytest_agenteval.metrics import attack_resisted, score_trial, success
from pytest_agenteval.model.baseline import Approval, Bar, Baseline
from pytest_agenteval.model.case import Case
from pytest_agenteval.model.recording import RecordedTrial
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.model.verdict import Comparison, Outcome, Reason, Verdict
from pytest_agenteval.pipeline.aggregate import Measured, measure
from pytest_agenteval.pipeline.gate import judge
from pytest_agenteval.pipeline.looks import Gated, Policy
from suites.convert import agentdojo, bfcl, llmdrift, tau

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/why/recorded-agents-pairs.md"

METRICS = {metric.spec.name: metric for metric in (success, attack_resisted)}

_AT = datetime(2024, 1, 1, tzinfo=UTC)
"""Trials and approvals have a time; nothing on the page depends on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Recorded runs on the same cases, in order: the earlier of two stands for the baseline.

    ``runs`` gives the file of each by the name that is shown. A group without a name is told by its metrics.
    """

    name: str = ""
    suite: str
    runs: Mapping[str, str]
    metrics: tuple[str, ...] = ("success",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """A corpus as the page shows it; ``of`` heads the column that tells its groups apart."""

    heading: str
    about: str
    of: str
    groups: Sequence[Group]


CORPORA = (
    Corpus(
        heading="AgentDojo",
        about=(
            "Seven agents, 97 tasks without and 97 with a prompt injection. The agents stand in the order of the "
            "published table, which is not one of time. Four of them were asked 20 of the tasks without an injection "
            "in other words than the other three were."
        ),
        of="metric",
        groups=[
            Group(
                suite="agentdojo",
                runs={agent: agent for agent in agentdojo.AGENTS},
                metrics=("success", "attack_resisted"),
            )
        ],
    ),
    Corpus(
        heading="Function calling",
        about=(
            "Six models, each on four dates of 2024, 1700 questions. From 6 to 20 July no answer changed, but the "
            "checker did; on 22 July two of twelve categories had new answers, on 11 August nearly all. Where equal "
            "answers are scored otherwise, the difference is not the model's alone, and the pair is *incomparable*, "
            "also where the model rose. A drop that is proven without all the cases that the checker may have harmed "
            "is *regressed* all the same."
        ),
        of="model",
        groups=[
            Group(name=model, suite="function_calling", runs={day: f"{day}/{model}" for day in bfcl.DATES})
            for model in bfcl.MODELS
        ],
    ),
    Corpus(
        heading="τ²-bench",
        about="Customer service: three pairs of agents, each on the tasks that both were given.",
        of="tasks",
        groups=[
            Group(name=file, suite="airline", runs={name: f"tau2/{name}" for name in runs})
            for file, runs in tau.TAU2_RUNS.items()
        ],
    ),
    Corpus(
        heading="LLMDrift",
        about=(
            "The same two services in March and in June of 2023: 50 easy programming problems (`leetcode`), and of "
            "1000 numbers whether they are prime (`prime`)."
        ),
        of="questions",
        groups=[
            Group(name=name, suite="llmdrift", runs={model: f"{name}/{model}" for model in snapshots})
            for name in llmdrift.SETS
            for snapshots in llmdrift.SNAPSHOTS.values()
        ],
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two runs compared in one metric: by case id as published results do, and by the gate.

    ``n``, ``lost`` and ``won`` count cases with the same id, whatever their wording; what the gate compared
    is in its verdict. ``p_gate`` is the one-sided p-value of a drop, corrected over the suite's metrics.
    """

    of: str
    first: str
    second: str
    n: int
    lost: int
    won: int
    margin: float
    p_gate: float
    verdict: Verdict

    @property
    def delta(self) -> float:
        """Second minus first, over the cases with the same id."""
        return (self.won - self.lost) / self.n

    @property
    def p_exact(self) -> float:
        """Two-sided exact McNemar test, over the cases with the same id."""
        return stats.mcnemar(self.won, self.lost, method="exact")

    @property
    def paired(self) -> tuple[int, int, int]:
        """What the gate paired: cases, and of them those that fell and those that rose."""
        found = compared(self.verdict)
        return found.n_pairs, len(found.lost), len(found.won)

    @property
    def why(self) -> str:
        """The reason of the verdict in half a sentence."""
        return _WHY[self.verdict.reason or self.verdict.outcome](self)


def compared(verdict: Verdict) -> Comparison:
    """The comparison of a verdict; here each has one."""
    if verdict.comparison is None:
        message = f"{verdict.suite}/{verdict.metric} was not compared: {verdict.message}"
        raise ValueError(message)
    return verdict.comparison


def pairs_of(corpus: Corpus) -> list[Pair]:
    """Every two runs of each group, metric by metric."""
    return [
        pair
        for group in corpus.groups
        for by_metric in zip(*(_judged(group, *two) for two in combinations(group.runs, 2)), strict=True)
        for pair in by_metric
    ]


def _judged(group: Group, first: str, second: str) -> Iterator[Pair]:
    """The second run held against the first: a pair for each metric of the group."""
    before, now = (_measured(group.suite, group.runs[name], group.metrics) for name in (first, second))
    gated = [_gated(old, new, first) for old, new in zip(before, now, strict=True)]
    verdicts = judge(gated, Policy())
    raw = [p_value for verdict in verdicts if (p_value := compared(verdict).p_value) is not None]
    corrected = stats.adjust_pvalues(raw, "holm")
    for old, one, verdict, p_gate in zip(before, gated, verdicts, corrected, strict=True):
        new = one.measured
        change = Counter(new.cases[case].mean - old.cases[case].mean for case in old.cases.keys() & new.cases.keys())
        yield Pair(
            of=group.name or verdict.metric,
            first=first,
            second=second,
            n=change.total(),
            lost=change[-1.0],
            won=change[1.0],
            margin=one.margin or 0.0,
            p_gate=p_gate,
            verdict=verdict,
        )


def _gated(before: Measured, now: Measured, run: str) -> Gated:
    bar = Bar(margin=_margins(now.suite).get(now.spec.name))
    baseline = Baseline(
        suite=before.suite,
        spec=before.spec,
        bar=bar,
        screen=before.cases,
        estimate=before.estimate,
        approval=Approval(by="benchmarks.recorded", at=_AT, reason="the first of two runs", run=run),
    )
    return Gated(measured=now, bar=bar, baseline=baseline)


@cache
def _margins(suite: str) -> Mapping[str, float]:
    """The margins that the project's settings give a suite, by metric; the others have the gate's default."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["pytest-agenteval"]
    return {metric: bar["margin"] for metric, bar in settings["suites"].get(suite, {}).get("gate", {}).items()}


@cache
def _measured(suite: str, file: str, metrics: tuple[str, ...]) -> list[Measured]:
    rows = read_recording(ROOT / "suites" / suite / "recordings" / f"{file}.jsonl.gz").rows.values()
    return [
        measure(suite, METRICS[metric].spec, [_scored(row, metric) for row in rows if _asks(row, metric)])
        for metric in metrics
    ]


def _asks(row: RecordedTrial, metric: str) -> bool:
    """Under attack it counts whether that was resisted, else whether the task was done."""
    return ("attack_succeeded" in row.trajectory.recorded) == (metric == "attack_resisted")


def _scored(row: RecordedTrial, metric: str) -> Trial:
    trial = Trial(
        id=f"{row.case}-{row.attempt}",
        case=Case(id=row.case, input=None),
        case_fingerprint=row.fingerprint,
        trajectory=row.trajectory,
        origin="replay",
        attempt=row.attempt,
        at=_AT,
    )
    return trial.with_scores([score_trial(METRICS[metric], trial)])


def _why_regressed(pair: Pair) -> str:
    changed = len(compared(pair.verdict).regraded)
    despite = f"; the scorer changed too ({changed} equal answers scored otherwise), but cannot explain it"
    return f"a real drop, larger than the margin {pair.margin:g}" + (despite if changed else "")


def _why_metric_changed(pair: Pair) -> str:
    found = compared(pair.verdict)
    return f"the scorer changed: {len(found.regraded)} of {found.n_same_answers} equal answers were scored otherwise"


def _why_too_few(pair: Pair) -> str:
    more = compared(pair.verdict).cases_needed
    return f"a loss of {pair.margin:g} is neither shown nor excluded; about {more} more cases could settle it"


_WHY: Mapping[Outcome | Reason, Callable[[Pair], str]] = {
    Outcome.PASS: lambda pair: f"a loss of {pair.margin:g} is excluded",
    Outcome.REGRESSED: _why_regressed,
    Reason.METRIC_CHANGED: _why_metric_changed,
    Reason.CASE_SET: lambda pair: f"only {pair.paired[0]} of {pair.n} cases were asked in the same words",
    Reason.TOO_FEW: _why_too_few,
}

_WIDTH = 115
"""Characters of a line of prose, as on the other pages."""

_INTRODUCTION = """\
# Every pair of recorded runs

What the gate says of each pair of runs that the committed suites hold, with the earlier one (or the one that stands
first in the published table) in the place of the baseline. `python -m benchmarks.recorded` makes this page from the
recordings below `suites/`, and a test compares the two. Some of the pairs are told at length in
[What the gate says of recorded agents](recorded-agents.md).

- **n, lost, won, Δ** and **p, exact** (McNemar, two-sided) pair the cases by their ids, as published results do.
- **Gate's pairs**: the gate pairs only what was asked in the same words (equal fingerprints); where these are fewer
  cases, there stand their number, and how many of them were lost and won.
- **Gate's p**: one-sided mid-p of McNemar's test for a drop on the gate's pairs, corrected by Holm where a suite has
  two metrics. A recording cannot be asked again, so one look decides: the drop must have p ≤ .01 and be larger than
  the margin.
"""


def page() -> str:
    """The whole page."""
    judged = [(corpus, pairs_of(corpus)) for corpus in CORPORA]
    parts = [_INTRODUCTION, _summary({corpus.heading: pairs for corpus, pairs in judged})]
    for corpus, pairs in judged:
        about = textwrap.fill(corpus.about, _WIDTH, break_on_hyphens=False)
        parts.append(f"## {corpus.heading}\n\n{about}\n\n{_table(corpus.of, pairs)}")
    return "\n".join(parts)


def _summary(pairs: Mapping[str, Sequence[Pair]]) -> str:
    counts = {heading: Counter(pair.verdict.outcome for pair in found) for heading, found in pairs.items()}
    shown = [outcome for outcome in reversed(Outcome) if any(outcome in count for count in counts.values())]
    rows = [
        [heading, str(count.total()), *(str(count[outcome]) for outcome in shown)] for heading, count in counts.items()
    ]
    return _markdown(["corpus", "pairs", *shown], rows)


def _table(of: str, pairs: Sequence[Pair]) -> str:
    head = [of, "first", "second", "n", "lost", "won", "Δ", "p, exact", "gate's pairs", "gate's p", "verdict", "why"]
    return _markdown(head, [_cells(pair) for pair in pairs])


def _cells(pair: Pair) -> list[str]:
    cases, fell, rose = pair.paired
    reason = f" ({pair.verdict.reason})" if pair.verdict.reason else ""
    return [
        *(f"`{name}`" for name in (pair.of, pair.first, pair.second)),
        *(str(count) for count in (pair.n, pair.lost, pair.won)),
        f"{pair.delta:+.4f}",
        f"{pair.p_exact:.3g}",
        "all" if cases == pair.n else f"{cases}: {fell}, {rose}",
        f"{pair.p_gate:.3g}",
        f"{pair.verdict.outcome}{reason}",
        pair.why,
    ]


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (head, ["---"] * len(head), *rows))


def main() -> int:
    """Print the page and write it."""
    text = page()
    PAGE.write_text(text, encoding="utf-8", newline="\n")
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
