"""Inputs that a report must show and not obey, from `data/adversarial.jsonl`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROWS: list[dict[str, Any]] = [
    json.loads(line)
    for line in (Path(__file__).parent / "data" / "adversarial.jsonl").read_text(encoding="utf-8").splitlines()
]
PAYLOADS: dict[str, str] = {row["id"]: row["payload"] for row in ROWS}
FIRES_AS_TEXT = [row["id"] for row in ROWS if "text" in (row.get("fires_unescaped") or ())]
MARKDOWN = [row["id"] for row in ROWS if row["kind"] == "markdown"]
