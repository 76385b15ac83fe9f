"""Approvals of loosenings: files beside the baselines, which count once they stand in the base."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pytest_agenteval.errors import BaselineError, InvalidValue
from pytest_agenteval.model.change import Change
from pytest_agenteval.model.codec import decode, encode
from pytest_agenteval.model.jsonvalue import digest
from pytest_agenteval.model.loosening import LooseningApproval
from pytest_agenteval.store.audit import Audit
from pytest_agenteval.store.baselines import APPROVALS
from pytest_agenteval.store.files import write_atomically
from pytest_agenteval.store.strict import parse_text

SCHEMA: Final = "agenteval-approval/1"


def approval_path(baselines: Path, approval: LooseningApproval) -> Path:
    """Where the approval stands: its name is a digest of what it allows."""
    return baselines / APPROVALS / f"{digest(sorted(approval.digests))}.json"


def approval_text(approval: LooseningApproval) -> str:
    """The text of the approval's file: always the same for the same approval."""
    rows = [encode(one) | {"digest": one.digest} for one in approval.loosenings]
    document = {"schema": SCHEMA} | encode(approval) | {"loosenings": rows}
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def approval_of(text: str, where: str) -> LooseningApproval:
    """The approval in a file's text. Raises BaselineError where it is none, or was written by hand and wrongly."""
    data = parse_text(text, where, BaselineError)
    try:
        if not isinstance(data, Mapping) or data.get("schema") != SCHEMA:
            message = f"the key 'schema' is {SCHEMA!r} in such a file"
            raise InvalidValue(message)
        rows = [dict(row) for row in data.get("loosenings", [])]
        told = [row.pop("digest", "") for row in rows]
        fields: dict[str, Any] = {key: value for key, value in data.items() if key != "schema"}
        approval = decode(LooseningApproval, fields | {"loosenings": rows})
        if told != [one.digest for one in approval.loosenings]:
            message = "a digest is not that of its loosening"
            raise InvalidValue(message)
    except (InvalidValue, TypeError, ValueError) as error:
        message = f"{where}: {error}. Write it by: pytest-agenteval baseline approve --loosening"
        raise BaselineError(message) from error
    return approval


def write_approval(baselines: Path, approval: LooseningApproval, change: Change, audit: Audit) -> Path:
    """Record the change in the audit log, then write the approval's file."""
    path = approval_path(baselines, approval)
    audit.append(change)
    write_atomically(path, approval_text(approval).encode("utf-8", "replace"))
    return path
