"""What a node, a program or a person that knows the schema as it was would miss in it as it is."""

from __future__ import annotations

from collections.abc import Iterator

from tests.postgres.additive.catalog import Catalog, Column, Function, Relation

COMPOSITE = "c"


def narrowed(before: Catalog, after: Catalog) -> list[str]:
    """One line for each thing that a revision took away, made smaller, or newly asks for; none: it only adds."""
    return [
        *_relations(before, after),
        *_functions(before, after),
        *_overloads(before, after),
        *_domains(before, after),
        *(f"{who} may {what} {where} no more" for where, who, what in sorted(before.grants - after.grants)),
    ]


def _relations(before: Catalog, after: Catalog) -> Iterator[str]:
    for name, old in before.relations.items():
        new = after.relations.get(name)
        if new is None:
            yield f"{name} is gone"
        elif new.kind != old.kind:
            yield f"{name} is of another kind"
        else:
            yield from _columns(name, old, new)
            yield from _rules(name, old, new)
            for kind, were, are in (
                ("index", old.indexes, new.indexes),
                ("trigger", old.triggers, new.triggers),
            ):
                yield from (f"{name}: {kind} {gone} is gone" for gone in sorted(were - are))
            if old.file != new.file:
                yield f"{name} is written anew, which shuts everybody out for as long as it takes"


def _columns(relation: str, old: Relation, new: Relation) -> Iterator[str]:
    for name, was in old.columns.items():
        now = new.columns.get(name)
        if now is None:
            yield f"{relation}.{name} is gone"
        else:
            yield from (f"{relation}.{name} {change}" for change in _changes(was, now))
    for name in new.columns.keys() - old.columns.keys():
        if old.kind == COMPOSITE:
            yield f"{relation}.{name}: a type that functions answer with stays as it is; make another"
        elif not new.columns[name].may_be_left_out:
            yield f"{relation}.{name} has to be given: make it nullable, or give it a default"


def _changes(was: Column, now: Column) -> Iterator[str]:
    if now.type != was.type:
        yield f"is {now.type}, was {was.type}"
    if now.not_null and not was.not_null:
        yield "may not be null any more"
    if was.may_be_left_out and not now.may_be_left_out:
        yield "has to be given"


def _rules(relation: str, old: Relation, new: Relation) -> Iterator[str]:
    for name, was in old.rules.items():
        now = new.rules.get(name)
        if now is None:
            yield f"{relation}: rule {name!r} is gone: nodes may meet what they do not know"
        elif now.says != was.says:
            yield f"{relation}: rule {name!r} says something else"
    for name in new.rules.keys() - old.rules.keys():
        columns = new.rules[name].columns
        if not columns or columns & old.columns.keys():
            yield f"{relation}: rule {name!r} may refuse what was allowed"


def _functions(before: Catalog, after: Catalog) -> Iterator[str]:
    for (name, types), old in before.functions.items():
        new = after.functions.get((name, types))
        if new is None:
            yield f"{name}({types}) is gone"
            continue
        if new.result != old.result:
            yield f"{name}({types}) answers {new.result}, not {old.result}"
        if new.arguments != old.arguments:
            yield f"{name}({types}): its arguments have other names"
        if new.least > old.least:
            yield f"{name}({types}) needs {new.least} arguments, not {old.least}"
        if old.definer and not new.definer:
            yield f"{name}({types}) runs with the rights of its caller alone"


def _overloads(before: Catalog, after: Catalog) -> Iterator[str]:
    for (name, types), new in after.functions.items():
        if (name, types) in before.functions:
            continue
        for (older, _), old in before.functions.items():
            if older == name and _meet(old, new):
                yield f"{name}({types}) can be called with as many arguments as an older {name}: calls become ambiguous"


def _meet(old: Function, new: Function) -> bool:
    return new.least <= old.most and old.least <= new.most


def _domains(before: Catalog, after: Catalog) -> Iterator[str]:
    for name, was in before.domains.items():
        now = after.domains.get(name)
        if now is None:
            yield f"domain {name} is gone"
        elif now != was:
            yield f"domain {name} allows something else"
