"""The week-over-week report of a project, as one HTML page and one Markdown page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from pytest_agenteval.app.workspace import Workspace
