"""A page drawn by Jinja templates: one HTML file that stands alone, or one Markdown file.

A user's folder of templates goes before the built-in ones, file by file: ``style.css`` alone may be
replaced. Whatever a template prints is made visible and escaped on the way out, in both forms; templates
themselves are code and trusted.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_agenteval.model.visible import visible
from pytest_agenteval.report import charts, markdown
from pytest_agenteval.report.page import Page

if TYPE_CHECKING:
    from jinja2 import Environment


def render_html(page: Page, templates: Path | None = None) -> str:
    """The page as HTML: no script, nothing loaded from anywhere."""
    return _rendered("report.html.j2", page, _environment(templates, finalize=_visible, autoescape=True))


def render_markdown(page: Page, templates: Path | None = None) -> str:
    """The page as Markdown for code hosts: no raw HTML, nothing that links or mentions."""
    environment = _environment(templates, finalize=markdown.inline, autoescape=False)
    environment.filters.update(cell=markdown.cell, fence=markdown.fence)
    return _rendered("report.md.j2", page, environment)


def _environment(templates: Path | None, *, finalize: Callable[[object], object], autoescape: bool) -> Environment:
    from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PackageLoader, StrictUndefined

    users = [FileSystemLoader(templates)] if templates is not None else []
    environment = Environment(
        loader=ChoiceLoader([*users, PackageLoader("pytest_agenteval.report")]),
        autoescape=autoescape,
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(kind=_kind, geometry=charts.geometry, bars=charts.block_characters)
    return environment


def _rendered(template: str, page: Page, environment: Environment) -> str:
    return environment.get_template(template).render(page=page)


def _visible(value: object) -> object:
    return visible(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _kind(block: object) -> str:
    """The block's type as templates name it, such as ``table``."""
    return type(block).__name__.lower()
