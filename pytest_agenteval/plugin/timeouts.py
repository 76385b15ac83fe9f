"""While an item waits for its trial, the clock of pytest-timeout stands still: a call has a time limit of its own."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest

_SETTINGS = pytest.StashKey[Any]()


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> None:  # noqa: ANN401  # the plug-in's own type
    """Remember with what the clock of the item was set."""
    item.stash[_SETTINGS] = settings


@contextmanager
def clock_held(item: pytest.Item) -> Generator[None]:
    """Stop the clock, and set it anew afterwards: what an item does beside waiting has all its time."""
    settings, hook = item.stash.get(_SETTINGS, None), item.config.hook
    if settings is None:
        yield
        return
    hook.pytest_timeout_cancel_timer(item=item)
    try:
        yield
    finally:
        hook.pytest_timeout_set_timer(item=item, settings=settings)
