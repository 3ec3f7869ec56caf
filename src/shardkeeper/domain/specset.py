"""A set of specs that belong together: what spec files ask for, what a database holds, and how the two differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from shardkeeper.domain.specs import ImplSpec, JobSpec, SourceData
from shardkeeper.domain.validation import row_of


@dataclass(frozen=True, slots=True)
class ImplWithSources:
    """An ImplSpec and all its sources, which are written together."""

    impl: ImplSpec
    sources: tuple[SourceData, ...] = ()


@dataclass(frozen=True, slots=True)
class SpecSet:
    """ImplSpecs with their sources, and jobs; names are unique among each."""

    impls: tuple[ImplWithSources, ...] = ()
    jobs: tuple[JobSpec, ...] = ()


class Change(StrEnum):
    """What must happen to the one side to become the other."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Difference:
    """One spec that differs. `what` is impl, source or job; `name` of a source is `impl/key`. `fields` holds for each
    column that differs its value on either side (None on the side that lacks the spec)."""

    what: str
    name: str
    change: Change
    fields: Mapping[str, tuple[Any, Any]]


def differences(have: SpecSet, want: SpecSet) -> list[Difference]:
    """What turns `have` into `want`, sorted by kind and name; an empty list when they are equal."""
    before, after = _rows(have), _rows(want)
    found = []
    for what, name in sorted(before.keys() | after.keys()):
        old, new = before.get((what, name)), after.get((what, name))
        if old == new:
            continue
        change = Change.ADDED if old is None else Change.REMOVED if new is None else Change.CHANGED
        pairs = {
            column: ((old or {}).get(column), (new or {}).get(column))
            for column in {**(old or {}), **(new or {})}
        }
        fields = {column: pair for column, pair in pairs.items() if pair[0] != pair[1]}
        found.append(Difference(what, name, change, fields))
    return found


def _rows(specs: SpecSet) -> dict[tuple[str, str], dict[str, Any]]:
    rows = {("job", job.name): row_of(job) for job in specs.jobs}
    for entry in specs.impls:
        rows["impl", entry.impl.name] = row_of(entry.impl)
        rows |= {("source", f"{entry.impl.name}/{source.key}"): row_of(source) for source in entry.sources}
    return rows
