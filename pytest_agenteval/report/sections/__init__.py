"""The built-in sections of a report, a file each: what is said of a suite, in blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pytest_agenteval.model.blocks import Block
from pytest_agenteval.report.sections.cases import cases
from pytest_agenteval.report.sections.costs import costs
from pytest_agenteval.report.sections.gaps import gaps
from pytest_agenteval.report.sections.repeats import repeats
from pytest_agenteval.report.sections.slices import slices
from pytest_agenteval.report.sections.summary import summary
from pytest_agenteval.report.sections.system import system
from pytest_agenteval.report.view import SuiteView


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionSection:
    """A section made of a function from a suite's view to blocks."""

    name: str
    order: int
    blocks: Callable[[SuiteView], Sequence[Block]]

    def __call__(self, view: SuiteView) -> Sequence[Block]:
        """The blocks to show; none for nothing to say."""
        return self.blocks(view)


def built_in_sections() -> tuple[FunctionSection, ...]:
    """The sections that each report has, in their order; the orders leave room between them."""
    named = {
        "summary": summary,
        "slices": slices,
        "system": system,
        "cases": cases,
        "repeats": repeats,
        "costs": costs,
        "gaps": gaps,
    }
    return tuple(
        FunctionSection(name=name, order=100 * place, blocks=blocks)
        for place, (name, blocks) in enumerate(named.items(), start=1)
    )
