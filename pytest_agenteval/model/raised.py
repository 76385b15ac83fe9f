"""Where an exception was raised."""

from __future__ import annotations

from pathlib import Path

_NOT_THEIRS = ("pytest_agenteval.", "concurrent.")


def place_of(error: BaseException) -> str:
    """'conftest.py:12 in agent', the innermost line that is not ours; the folder is of no use elsewhere.

    An exception that comes from another process says itself where it was ``raised_at``.
    """
    told = getattr(error, "raised_at", None)
    if isinstance(told, str):
        return told
    place, step = "", error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        if not str(step.tb_frame.f_globals.get("__name__", "")).startswith(_NOT_THEIRS):
            place = f"{Path(code.co_filename).name}:{step.tb_lineno} in {code.co_name}"
        step = step.tb_next
    return place
