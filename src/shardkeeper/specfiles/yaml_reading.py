"""YAML into plain values, each with the line it stands on.

The loader is narrower than PyYAML's own, because its YAML 1.1 turns `on:` into true, `01:00:00` into 3600 and
`2026-11-21` into a date. Here only null, true, false, decimal numbers and text are scalars. Duplicate keys, tags
and what grows when aliases are unfolded are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

import yaml

from shardkeeper.domain.problems import shown

Path: TypeAlias = tuple[str | int, ...]

MAX_VALUES = 1_000_000
MAX_DEPTH = 60

_TAG = "tag:yaml.org,2002:"
_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_BASE):  # type: ignore[misc]
    """Composes nodes with few implicit types."""

    yaml_implicit_resolvers: ClassVar[dict[str | None, list[tuple[str, re.Pattern[str]]]]] = {}


_SCALARS = {
    "null": (re.compile(r"~|null|Null|NULL|"), ["~", "n", "N", ""]),
    "bool": (re.compile(r"true|True|TRUE|false|False|FALSE"), list("tTfF")),
    "int": (re.compile(r"[-+]?(?:0|[1-9][0-9]*)"), list("-+0123456789")),
    "float": (
        re.compile(r"[-+]?[0-9]+\.[0-9]*(?:[eE][-+][0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"),
        list("-+.0123456789"),
    ),
}
for _name, (_pattern, _first) in _SCALARS.items():
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(rf"^(?:{_pattern.pattern})$"), _first)


class YamlInvalid(Exception):
    """The text is not YAML that is understood. `line` counts from 1."""

    def __init__(self, line: int, reason: str, mend: str) -> None:
        self.line, self.reason, self.mend = line, reason, mend
        super().__init__(f"line {line}: {reason}; {mend}")


@dataclass(slots=True)
class YamlDocument:
    """One document: its value, and the line (from 1) of each part by its path of keys and indexes."""

    value: Any
    lines: dict[Path, int] = field(default_factory=dict)

    def line_of(self, path: Path) -> int:
        """The line of a part, or of the nearest part around it that has one."""
        while path not in self.lines and path:
            path = path[:-1]
        return self.lines.get(path, 1)


def read_documents(text: str) -> Iterator[YamlDocument]:
    """The documents in `text`. Raises YamlInvalid at the first place that is not understood."""
    try:
        _check_nesting(text)
        for node in yaml.compose_all(text, Loader=_Loader):
            document = YamlDocument(None)
            document.value = _Reader(document.lines).value(node, ())
            yield document
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlInvalid(
            mark.line + 1 if mark else 1, f"not YAML: {shown(str(error.problem))}", "mend it"
        ) from error
    except yaml.YAMLError as error:
        raise YamlInvalid(1, f"not YAML: {shown(str(error))}", "write plain text in UTF-8") from error


def _check_nesting(text: str) -> None:
    """Refuse deep nesting before nodes are composed: libyaml's composer recurses, and takes the process with it."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise YamlInvalid(line, f"nested deeper than {MAX_DEPTH}", "flatten it")


class _Reader:
    """Turns composed nodes into values, noting lines and counting what aliases unfold to."""

    def __init__(self, lines: dict[Path, int]) -> None:
        self._lines = lines
        self._count = 0

    def value(self, node: yaml.Node, path: Path) -> Any:
        line = node.start_mark.line + 1
        self._lines.setdefault(path, line)
        self._count += 1
        if self._count > MAX_VALUES:
            raise YamlInvalid(line, f"more than {MAX_VALUES} values, aliases unfolded", "split the file")
        if len(path) > MAX_DEPTH:
            raise YamlInvalid(line, f"nested deeper than {MAX_DEPTH}", "flatten it")
        if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
            return [self.value(part, (*path, index)) for index, part in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        raise YamlInvalid(line, f"uses the tag {shown(node.tag)}", "leave out the tag")

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise YamlInvalid(line, "a key is not plain text", "write keys as text")
            key = key_node.value
            if key in found:
                raise YamlInvalid(line, f"`{shown(key)}` is there twice", "keep one of them")
            self._lines[(*path, key)] = line
            found[key] = self.value(value_node, (*path, key))
        return found


def _scalar(node: yaml.ScalarNode) -> Any:
    kind, text = node.tag.removeprefix(_TAG), node.value
    if kind == "str":
        return text
    line = node.start_mark.line + 1
    if kind not in _SCALARS or not _SCALARS[kind][0].fullmatch(text):
        raise YamlInvalid(line, f"uses the tag {shown(node.tag)}", "leave out the tag, or write it in quotes")
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if len(text) > 400:
        raise YamlInvalid(line, "a number has more than 400 digits", "write it in quotes")
    return int(text) if kind == "int" else float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
