"""What a schema promises to those who work on it, as values that can be compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Column:
    """``default``: whether an INSERT may leave it out and still get a value (a default, an identity, generated)."""

    type: str
    not_null: bool = False
    default: bool = False

    @property
    def may_be_left_out(self) -> bool:
        return self.default or not self.not_null


@dataclass(frozen=True, slots=True)
class Rule:
    """A constraint or a unique index: what it says, and of which columns (none: it cannot be told)."""

    says: str
    columns: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, view, sequence or composite type. ``kind`` is pg_class's letter. ``file``: where its rows lie, another
    one once it was rewritten; None for what has none."""

    kind: str
    columns: Mapping[str, Column] = field(default_factory=dict)
    rules: Mapping[str, Rule] = field(default_factory=dict)
    indexes: frozenset[str] = frozenset()
    triggers: frozenset[str] = frozenset()
    file: int | None = None


@dataclass(frozen=True, slots=True)
class Function:
    """By which calls it is reached, and what they get. ``least`` and ``most``: how many arguments it takes."""

    arguments: tuple[str, ...]
    result: str
    least: int
    most: int
    definer: bool = False


@dataclass(frozen=True, slots=True)
class Catalog:
    """``functions`` by name and types of arguments: ``("submit", "text, jsonb")``. ``domains``: what each allows.
    ``grants``: who may do what with which object."""

    relations: Mapping[str, Relation] = field(default_factory=dict)
    functions: Mapping[tuple[str, str], Function] = field(default_factory=dict)
    domains: Mapping[str, str] = field(default_factory=dict)
    grants: frozenset[tuple[str, str, str]] = frozenset()
