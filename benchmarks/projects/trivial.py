"""W0: a project that has nothing to do with agents."""

from __future__ import annotations


def test_one() -> None:
    """Pass."""
    assert "one" + "two" == "onetwo"
