"""What an inner session of pytest does without: plug-ins that load of themselves, and change it or slow it down."""

from __future__ import annotations

OTHERS = ("anyio", "asyncio", "randomly", "rerunfailures", "timeout")
"""Plug-ins that tests/plugin/test_beside_other_plugins.py runs beside, one by one."""

QUIET = tuple(word for name in ("hypothesispytest", *OTHERS) for word in ("-p", f"no:{name}"))
