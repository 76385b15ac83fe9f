"""What is kept: the journal of a run, the history, baselines, case files, recordings, the audit log."""
