"""Run, score, aggregate, compare, gate: one module a stage, pure but for run."""
