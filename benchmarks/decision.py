"""How long the decision takes, from scored trials to verdicts, and the bootstrap of many metrics.

``python -m benchmarks.decision`` prints both beside their targets. CPU seconds of this process, the median of five,
imports apart; the memory is what the process grew by at most while the bootstrap ran.
"""

from __future__ import annotations

import resource
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np

from pytest_agenteval import stats
from pytest_agenteval.app.approve import split
from pytest_agenteval.model.baseline import Approval, Bar, Baseline
from pytest_agenteval.model.case import Case
from pytest_agenteval.model.score import MetricSpec, Score
from pytest_agenteval.model.trajectory import Trajectory
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.pipeline.aggregate import measure_all
from pytest_agenteval.pipeline.gate import judge
from pytest_agenteval.pipeline.looks import Gated, Policy

SEED = 20261124
CASES, ATTEMPTS, BASELINE = 2000, 5, 6
AT = datetime(2026, 11, 24, tzinfo=UTC)
SPECS = {
    f"m{n}": MetricSpec(name=f"m{n}", kind="binary") if n < 7 else MetricSpec(name=f"m{n}")  # noqa: PLR2004  # seven of ten
    for n in range(10)
}


def scored(generator: np.random.Generator, attempts: int) -> list[Trial]:
    """Trials of an agent that is right four times in five, each with ten scores; half of the cases are tagged."""
    values = generator.random((CASES, attempts, len(SPECS)))
    return [
        Trial(
            id=f"{case}-{attempt}",
            case=Case(
                id=f"c{case:04}", suite="s", input=f"q{case}", tags=("a", "b")[case % 2 : case % 2 + case % 4 // 2]
            ),
            trajectory=Trajectory(output=f"{values[case, attempt]}"),
            attempt=attempt + 1,
            at=AT,
            scores=tuple(
                Score(metric=name, value=float(value < 0.8) if spec.kind == "binary" else round(float(value), 3))  # noqa: PLR2004  # four in five
                for (name, spec), value in zip(SPECS.items(), values[case, attempt], strict=True)
            ),
        )
        for case in range(CASES)
        for attempt in range(attempts)
    ]


def approved(generator: np.random.Generator) -> dict[str, Baseline]:
    """A baseline a metric, three attempts for the screen and three held back."""
    approval = Approval(by="Dana", at=AT, reason="a benchmark", run="r")
    found = {}
    for measured in measure_all("s", SPECS, scored(generator, BASELINE)):
        screen, held_back = split(measured.cases)
        found[measured.spec.name] = Baseline(
            suite="s",
            spec=measured.spec,
            bar=Bar(floor=0.5),
            screen=screen,
            held_back=held_back,
            estimate=measured.estimate,
            approval=approval,
        )
    return found


def cpu(act: Callable[[], object]) -> float:
    """CPU seconds, the median of five."""
    taken = []
    for _ in range(5):
        begun = time.process_time()
        act()
        taken.append(time.process_time() - begun)
    return statistics.median(taken)


def main() -> int:
    """Print the two figures."""
    generator = np.random.Generator(np.random.PCG64(SEED))
    baselines, trials = approved(generator), scored(generator, ATTEMPTS)

    def decide() -> object:
        measured = measure_all("s", SPECS, trials)
        gated = [
            Gated(measured=one, bar=Bar(floor=0.5), baseline=baselines[one.spec.name], looks_again=True)
            for one in measured
        ]
        return judge(gated, Policy())

    seconds = cpu(decide)
    print(f"decision, {CASES:,} cases × {len(SPECS)} metrics × {ATTEMPTS} attempts: {seconds:.2f} s CPU (target 0.5)")
    diffs = generator.normal(size=(CASES, 50))
    stats.paired_bootstrap(diffs[:100], 100, seed=SEED)  # imports apart
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = cpu(lambda: stats.paired_bootstrap(diffs, 10_000, seed=SEED))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(
        f"bootstrap, 10,000 resamples × {CASES:,} cases × 50 metrics: {seconds:.2f} s CPU (0.5), +{grown:.0f} MB (50)"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
