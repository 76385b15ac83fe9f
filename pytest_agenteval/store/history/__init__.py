"""The history: immutable segments, one a run, by ISO week; an index derived from them; frames for pandas."""

from pytest_agenteval.store.history.history import History

__all__ = ["History"]
