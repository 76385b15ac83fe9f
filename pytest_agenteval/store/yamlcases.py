"""Cases in YAML, of which only what all readers take for the same is read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pytest_agenteval.errors import CaseError
from pytest_agenteval.model.jsonvalue import MAX_DEPTH

_TAG: Final = "tag:yaml.org,2002:"
_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?\Z")
_CONSTANTS: Final = {"true": True, "false": False, "null": None, "~": None, "": None}
_LARGEST: Final = 1e300


def yaml_rows(text: str, path: Path) -> Iterator[tuple[int, Any]]:
    """Line and value of each case of a YAML file: a list of cases, or ``cases:`` with such a list.

    Raises CaseError with file, line and column for aliases, tags, keys given twice, and plain words that
    YAML's versions read differently (``no``, ``012``, ``1:30``, dates), with the hint to quote them.
    """
    root = _composed(text, path)
    if root is not None and root.id == "mapping" and [key.value for key, _ in root.value] == ["cases"]:
        root = root.value[0][1]
    if root is None or root.id != "sequence":
        message = f"{path}:1: a case file in YAML is a list of cases, or 'cases:' with such a list"
        raise CaseError(message)
    for node in root.value:
        row = _value(node, path)
        _refuse_words_that_are_none(node, path)
        yield node.start_mark.line + 1, row


def _composed(text: str, path: Path) -> Any:  # noqa: ANN401  # a yaml.Node or None
    try:
        import yaml
    except ImportError as error:
        message = f"{path} needs PyYAML to be read. Run: pip install 'pytest-agenteval[yaml]'"
        raise CaseError(message) from error
    _refuse_aliases_and_depth(text, path)
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark, why = getattr(error, "problem_mark", None), getattr(error, "problem", None) or str(error)
        place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        message = f"{path}{place}: not YAML: {why.splitlines()[0]}. Correct it, or write the file in JSON"
        raise CaseError(message) from error


def _refuse_aliases_and_depth(text: str, path: Path) -> None:
    """Look at the events, which hold no tree yet: nothing can grow or recurse before this has passed."""
    import yaml

    depth = 0
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                raise _refusal(event, path, f"the alias *{event.anchor} is not read; write the value out")
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise _refusal(event, path, f"nested deeper than {MAX_DEPTH} levels")
    except yaml.YAMLError:
        return  # composing the text says it better


def _value(node: Any, path: Path) -> Any:  # noqa: ANN401  # a yaml.Node; any JSON value
    if not node.tag.startswith(_TAG):
        raise _refusal(node, path, f"the tag {node.tag!r} is not read; write plain values")
    kind = node.tag.removeprefix(_TAG)
    match node.id, kind:
        case "mapping", "map":
            return _mapping(node, path)
        case "sequence", "seq":
            return [_value(item, path) for item in node.value]
        case "scalar", "str":
            return node.value
        case "scalar", "bool" | "null" if node.value in _CONSTANTS:
            return _CONSTANTS[node.value]
        case "scalar", "int" | "float" if _NUMBER.match(node.value) and abs(float(node.value)) < _LARGEST:
            return int(node.value) if kind == "int" else float(node.value)
    raise _refusal(node, path, f"{node.value!r:.60} is read as a {kind} by some; quote it if it is a text")


def _mapping(node: Any, path: Path) -> dict[str, Any]:  # noqa: ANN401  # a yaml.MappingNode
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = key_node.value
        if key_node.tag != f"{_TAG}str":
            raise _refusal(key_node, path, f"the key {key!r:.60} is not read as a text; quote it")
        if key in found:
            raise _refusal(key_node, path, f"the key {key!r:.60} stands twice; remove one")
        found[key] = _value(value_node, path)
    return found


def _refuse_words_that_are_none(node: Any, path: Path) -> None:  # noqa: ANN401  # a yaml.Node
    """Refuse an id or input that YAML made a number or a truth value: it is far more often a text."""
    if node.id != "mapping":
        return
    for key_node, value_node in node.value:
        kind = value_node.tag.removeprefix(_TAG)
        if key_node.value in ("id", "input") and kind in ("bool", "int", "float"):
            raise _refusal(
                value_node,
                path,
                f"the {key_node.value} {value_node.value} is read as a {kind}, not as a text; "
                f'quote it: "{value_node.value}"',
            )


def _refusal(at: Any, path: Path, why: str) -> CaseError:  # noqa: ANN401  # a node or an event
    mark = at.start_mark
    message = f"{path}:{mark.line + 1}:{mark.column + 1}: {why}"
    return CaseError(message)
