"""The judge of revisions sees whatever is taken away, and lets pass whatever is only added."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.postgres.additive import Catalog, Column, Function, Relation, narrowed
from tests.postgres.additive.catalog import Rule

TEXT = Column("text", not_null=True)
RUN = Relation(
    "p",
    {"id": Column("bigint", not_null=True, default=True), "name": TEXT, "reason": Column("text")},
    {
        "status is known": Rule("CHECK (...)", frozenset({"name"})),
        "run_pkey": Rule("PRIMARY KEY (id)", frozenset({"id"})),
    },
    frozenset({"run_pkey", "run_by_name"}),
    frozenset({"told"}),
    file=7,
)
CLAIMED = Relation("c", {"run_id": Column("bigint")})
SUBMIT = Function(("job", "parameters", "key"), "f bigint", least=1, most=3, definer=True)
BEFORE = Catalog(
    {"run": RUN, "claimed": CLAIMED, "status": Relation("v", {"name": Column("text")})},
    {("submit", "text, jsonb, text"): SUBMIT},
    {"phase": "text CHECK (...)"},
    frozenset({("run", "node", "INSERT"), ("submit(text)", "author", "EXECUTE")}),
)


def with_relation(name: str, **changes: Any) -> Catalog:
    return replace(BEFORE, relations={**BEFORE.relations, name: replace(BEFORE.relations[name], **changes)})


def without(found: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {each: value for each, value in found.items() if each != name}


def with_column(relation: str, name: str, column: Column) -> Catalog:
    return with_relation(relation, columns={**BEFORE.relations[relation].columns, name: column})


def with_rule(name: str, rule: Rule, **columns: Column) -> Catalog:
    return with_relation("run", rules={**RUN.rules, name: rule}, columns={**RUN.columns, **columns})


def with_submit(**changes: Any) -> Catalog:
    return replace(BEFORE, functions={("submit", "text, jsonb, text"): replace(SUBMIT, **changes)})


def with_overload(least: int, most: int, name: str = "submit") -> Catalog:
    added = Function(tuple("abcdef"[:most]), "f bigint", least, most)
    return replace(BEFORE, functions={**BEFORE.functions, (name, "int"): added})


TAKEN_AWAY = {
    "a table": (replace(BEFORE, relations=without(BEFORE.relations, "run")), "run is gone"),
    "a view made a table": (with_relation("status", kind="r"), "status is of another kind"),
    "a column": (with_relation("run", columns=without(RUN.columns, "reason")), "run.reason is gone"),
    "a view's column": (with_relation("status", columns={}), "status.name is gone"),
    "a type": (with_column("run", "reason", Column("integer")), "run.reason is integer, was text"),
    "null": (with_column("run", "reason", Column("text", True, True)), "run.reason may not be null any more"),
    "a default": (with_column("run", "id", Column("bigint", True)), "run.id has to be given"),
    "what must be given": (with_column("run", "region", TEXT), "run.region has to be given: "),
    "a type's new attribute": (
        with_column("claimed", "region", Column("text")),
        "claimed.region: a type that ",
    ),
    "a rule": (
        with_relation("run", rules=without(RUN.rules, "status is known")),
        "run: rule 'status is known' is gone",
    ),
    "a rule's words": (
        with_rule("status is known", Rule("CHECK (other)")),
        "run: rule 'status is known' says ",
    ),
    "a new rule": (with_rule("new", Rule("CHECK", frozenset({"name"}))), "run: rule 'new' may refuse"),
    "a new rule of all": (with_rule("new", Rule("CHECK")), "run: rule 'new' may refuse"),
    "an index": (with_relation("run", indexes=frozenset({"run_pkey"})), "run: index run_by_name is gone"),
    "a trigger": (with_relation("run", triggers=frozenset()), "run: trigger told is gone"),
    "a rewritten table": (with_relation("run", file=8), "run is written anew"),
    "a function": (replace(BEFORE, functions={}), "submit(text, jsonb, text) is gone"),
    "its answer": (with_submit(result="f text"), "submit(text, jsonb, text) answers f text, not f bigint"),
    "its names": (with_submit(arguments=("job", "p", "key")), "submit(text, jsonb, text): its arguments"),
    "its defaults": (with_submit(least=2), "submit(text, jsonb, text) needs 2 arguments, not 1"),
    "its rights": (
        with_submit(definer=False),
        "submit(text, jsonb, text) runs with the rights of its caller",
    ),
    "an ambiguous overload": (with_overload(3, 4), "submit(int) can be called with as many arguments"),
    "a domain": (replace(BEFORE, domains={}), "domain phase is gone"),
    "a domain's values": (replace(BEFORE, domains={"phase": "text"}), "domain phase allows something else"),
    "a grant": (
        replace(BEFORE, grants=frozenset({("run", "node", "INSERT")})),
        "author may EXECUTE submit(text) no more",
    ),
}

ADDED = {
    "nothing": BEFORE,
    "a table": replace(BEFORE, relations={**BEFORE.relations, "region": RUN}),
    "a column that may be null": with_column("run", "region", Column("text")),
    "a column with a default": with_column("run", "region", Column("text", not_null=True, default=True)),
    "a view's column": with_column("status", "region", Column("text")),
    "null where there was none": with_column("run", "name", Column("text")),
    "a rule of a new column": with_rule("new", Rule("CHECK", frozenset({"region"})), region=Column("text")),
    "an index": with_relation("run", indexes=RUN.indexes | {"run_by_reason"}),
    "a trigger": with_relation("run", triggers=RUN.triggers | {"marked"}),
    "a default of an argument": with_submit(least=0),
    "a longer overload": with_overload(4, 5),
    "a function": with_overload(1, 1, "region"),
    "a domain": replace(BEFORE, domains={**BEFORE.domains, "region": "text"}),
    "a grant": replace(BEFORE, grants=BEFORE.grants | {("run", "reader", "SELECT")}),
}


@pytest.mark.parametrize(("after", "says"), TAKEN_AWAY.values(), ids=TAKEN_AWAY)
def test_what_is_taken_away_is_told_in_one_line(after: Catalog, says: str) -> None:
    (line,) = narrowed(BEFORE, after)
    assert line.startswith(says)


@pytest.mark.parametrize("after", ADDED.values(), ids=ADDED)
def test_what_is_added_is_let_pass(after: Catalog) -> None:
    assert narrowed(BEFORE, after) == []
