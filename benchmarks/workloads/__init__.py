"""The workloads, each a function that makes it for a bench."""
