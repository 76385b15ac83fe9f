"""Inputs that an adapter must survive, from `data/adversarial.jsonl`."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"
_ROWS: dict[str, Any] = {
    row["id"]: row for row in map(json.loads, (DATA / "adversarial.jsonl").read_text(encoding="utf-8").splitlines())
}


def payload(row: str) -> Any:
    """The row's payload: text, bytes (b64), or what its recipe makes."""
    kept = _ROWS[row]["payload"]
    match _ROWS[row]["enc"], kept:
        case "b64", _:
            return base64.b64decode(kept)
        case "recipe", {"op": "repeat", "prefix": prefix, "unit": unit, "n": n, "suffix": suffix}:
            return prefix + unit * n + suffix
        case "recipe", {"op": "nest", "open": opening, "close": closing, "n": n, "core": core}:
            return opening * n + core + closing * n
    return kept


def kinds(kind: str) -> list[str]:
    """Ids of the rows of a kind."""
    return [name for name, row in _ROWS.items() if row["kind"] == kind]
