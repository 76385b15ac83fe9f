"""The page before it is drawn: what is seen first, then a chapter a suite, section by section."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from pytest_agenteval.contracts import Section
from pytest_agenteval.model.blocks import Block, Card, Heading, Item, Paragraph, Tone
from pytest_agenteval.model.verdict import Reason
from pytest_agenteval.pipeline.words import counted
from pytest_agenteval.report import wording
from pytest_agenteval.report.calendar import days_of
from pytest_agenteval.report.view import MetricView, SliceView, Standing, SuiteView, WeekReport

_MOST_TAGS = 5
"""Tags of a metric that are named in what is seen first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionBlocks:
    """What a section has to show, under its name."""

    name: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """A suite on the page; ``standing`` says in a few words how it stands, ``anchor`` is its id."""

    anchor: str
    suite: str
    weeks: str
    standing: str
    tone: Tone
    sections: tuple[SectionBlocks, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """All that a template needs; ``report`` is the view itself, for templates that want the numbers."""

    title: str
    days: str
    owner: str
    generated: str
    headline: str
    cards: tuple[Card, ...]
    chapters: tuple[Chapter, ...]
    problems: Card | None
    report: WeekReport


def page_of(report: WeekReport, sections: Sequence[Section]) -> Page:
    """Ask each section for its blocks, suite by suite. A section that raises is told in its place."""
    suites = sorted(report.suites, key=_weight)
    anchors = {suite.suite: f"suite-{place}" for place, suite in enumerate(suites, start=1)}
    problems = tuple(Item(head="Not read", text=problem) for problem in report.problems)
    return Page(
        title=f"Week {report.week}" if report.week else "No week yet",
        days=days_of(report.week) if report.week else "",
        owner=report.owner,
        generated=f"{report.generated:%Y-%m-%d %H:%M} UTC",
        headline=_headline(report),
        cards=_cards(report, anchors) if report.suites else (),
        chapters=tuple(_chapter(suite, anchors[suite.suite], sections) for suite in suites),
        problems=Card(title="What could not be read", items=problems, tone="unsure") if problems else None,
        report=report,
    )


def _headline(report: WeekReport) -> str:
    if not report.suites:
        return "The history has no whole run yet. Run pytest --agent-eval, and come back."
    worse, better, unknown = (len(report.standing(word)) for word in ("worse", "better", "unknown"))
    held = len(report.standing("held"))
    compared = worse + better + unknown + held
    if not compared:
        return "This is the first week: there is nothing to compare it with."
    parts = [
        f"{count} {word}" for count, word in ((worse, "got worse"), (better, "got better"), (held, "held")) if count
    ]
    parts += [f"{unknown} {'is' if unknown == 1 else 'are'} undecided"] if unknown else []
    said = f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]
    return f"Of {counted(compared, 'measure')}, {said}." if worse + better + unknown else "Everything held."


def _cards(report: WeekReport, anchors: dict[str, str]) -> tuple[Card, ...]:
    titles: tuple[tuple[Standing, str, str], ...] = (
        ("worse", "What got worse", "Nothing is proven to have got worse."),
        ("better", "What got better", "Nothing is proven to have got better."),
        ("unknown", "What nobody can say", "Every comparison has an answer."),
    )
    cards = [
        Card(title=title, items=_items(report.standing(word), anchors), empty=empty, tone=wording.TONES[word])
        for word, title, empty in titles
    ]
    failing = [_gate_item(*one, anchors) for one in report.failing_gates()]
    failing += [_failing_slice(*one, anchors) for one in report.failing_slices()]
    hidden = tuple(_fallen_slices(*one, anchors) for one in report.fallen_in_slices())
    more = (
        Card(title="What fails its gate", items=tuple(failing), tone="bad"),
        Card(title="What fell on the cases of a tag", items=hidden, tone="unsure"),
    )
    return (cards[0], *(card for card in more if card.items), *cards[1:])


def _items(those: list[tuple[SuiteView, MetricView]], anchors: dict[str, str]) -> tuple[Item, ...]:
    """An item a metric; those of which no case moved share one, so that they do not hide the others."""
    still = [one for one in those if _stands_still(one[1])]
    items = [_item(*one, anchors) for one in those if one not in still]
    if still:
        names = ", ".join(f"{suite.suite} · {metric.spec.name}" for suite, metric in still)
        text = f"{names}: too few cases to exclude a loss"
        items.append(Item(head=f"No case moved in {counted(len(still), 'measure')}", text=text))
    return tuple(items)


def _stands_still(metric: MetricView) -> bool:
    found, verdict = metric.against_last, metric.verdict_vs_last
    still = found is not None and not found.lost and not found.won
    return still and verdict is not None and verdict.reason is Reason.TOO_FEW


def _item(suite: SuiteView, metric: MetricView, anchors: dict[str, str]) -> Item:
    spec, last = metric.spec, metric.last
    verdict, found = metric.verdict_vs_last, metric.against_last
    values = f"{wording.number(last.value if last else None, spec)} → {wording.number(metric.this.value, spec)}"
    why = verdict.message if verdict and metric.standing == "unknown" else wording.move(found, spec) if found else ""
    week = "" if suite.is_current else f" (in {suite.week})"
    return Item(head=f"{suite.suite} · {spec.name}", text=f"{values}{week}: {why}", anchor=anchors[suite.suite])


def _gate_item(suite: SuiteView, metric: MetricView, anchors: dict[str, str]) -> Item:
    verdict, found = metric.verdict_vs_baseline, metric.against_baseline
    known = [f"{wording.outcome_word(verdict)}, {wording.number(metric.this.value, metric.spec)}"] if verdict else []
    known += wording.bar_words(metric)
    known += [wording.move(found, metric.spec)] if found and found.delta is not None else []
    return Item(head=f"{suite.suite} · {metric.spec.name}", text="; ".join(known), anchor=anchors[suite.suite])


def _failing_slice(suite: SuiteView, metric: MetricView, one: SliceView, anchors: dict[str, str]) -> Item:
    verdict, spec = one.verdict, metric.spec
    found = verdict.comparison if verdict else None
    known = [f"{wording.outcome_word(verdict)}, {wording.number(one.this.value, spec)}"] if verdict else []
    known += [f"baseline {wording.number(found.reference.value, spec)}", wording.move(found, spec)] if found else []
    head = f"{suite.suite} · {spec.name} on {one.tag}"
    return Item(head=head, text="; ".join(known), anchor=anchors[suite.suite])


def _fallen_slices(suite: SuiteView, metric: MetricView, anchors: dict[str, str]) -> Item:
    tags = metric.fallen
    more = f" and {len(tags) - _MOST_TAGS:,} more" if len(tags) > _MOST_TAGS else ""
    text = f"fell from the baseline on {', '.join(tags[:_MOST_TAGS])}{more}; as a whole it does not fail its gate"
    return Item(head=f"{suite.suite} · {metric.spec.name}", text=text, anchor=anchors[suite.suite])


_WORDS: tuple[Standing, ...] = ("worse", "unknown", "better", "held")


def _weight(suite: SuiteView) -> tuple[bool, int, str]:
    """What ran this week comes first, and of that what got worse."""
    standings = {metric.standing for metric in suite.metrics}
    place = next((place for place, word in enumerate(_WORDS) if word in standings), len(_WORDS))
    return (not suite.is_current, place, suite.suite)


def _chapter(suite: SuiteView, anchor: str, sections: Sequence[Section]) -> Chapter:
    counts = {word: sum(metric.standing == word for metric in suite.metrics) for word in _WORDS}
    told = [f"{count} {wording.STANDINGS[word]}" for word, count in counts.items() if count]
    tone: Tone = next((wording.TONES[word] for word in _WORDS if counts[word]), "quiet")
    weeks = f"{suite.week}, compared with {suite.last_week}" if suite.last_week else f"{suite.week}, its first week"
    return Chapter(
        anchor=anchor,
        suite=suite.suite,
        weeks=weeks if suite.is_current else f"{weeks}; no run in {suite.report_week}",
        standing=", ".join(told) or "first week",
        tone=tone,
        sections=tuple(found for section in sections if (found := _asked(section, suite)).blocks),
    )


def _asked(section: Section, suite: SuiteView) -> SectionBlocks:
    try:
        blocks = tuple(section(suite))
        if wrong := [block for block in blocks if not isinstance(block, get_args(Block))]:
            message = f"{wrong[0]!r:.80} is no block of pytest_agenteval.model.blocks"
            raise TypeError(message)
    except Exception as error:  # noqa: BLE001  # a section may be anybody's; the others are shown all the same
        told = Paragraph(text=f"This section could not be made: {type(error).__name__}: {error}", tone="unsure")
        blocks = (Heading(text=section.name), told)
    return SectionBlocks(name=section.name, blocks=blocks)
