"""W8: the paired bootstrap of 50 metrics at once: its seconds, imports apart, and by how much the process grew."""

from __future__ import annotations

import resource
import time

import numpy as np

from benchmarks.measure import MB
from benchmarks.work import tell
from pytest_agenteval import stats

CASES, METRICS, RESAMPLES, SEED = 2000, 50, 10_000, 20261124


def main() -> None:
    """Measure once."""
    diffs = np.random.Generator(np.random.PCG64(SEED)).normal(size=(CASES, METRICS))
    stats.paired_bootstrap(diffs[:100], 100, seed=SEED)  # imports apart
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.perf_counter()
    stats.paired_bootstrap(diffs, RESAMPLES, seed=SEED)
    seconds = time.perf_counter() - begun
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / MB
    tell(seconds=seconds, grown_mb=grown)


if __name__ == "__main__":
    main()
