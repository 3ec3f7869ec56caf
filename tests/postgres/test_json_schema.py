"""The subset of JSON Schema in SQL: it judges as the library `jsonschema` does, and refuses what it does not judge."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from psycopg.types.json import Jsonb

from shardkeeper.domain.validation.json_schema import schema_problem
from tests.postgres.migrated import Migrated

NAMES = st.sampled_from(["a", "b", "ab", "x1"])
TEXTS = st.sampled_from(["", "a", "b", "ab", "x1", "é", "a\nb", "2026-11-21", "ABC"])
# halves are exact in binary, too: the library reckons with floats
NUMBERS = st.one_of(st.integers(-4, 6), st.integers(-8, 12).map(lambda n: n / 2))
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=6,
)
TYPES = st.sampled_from(["null", "boolean", "integer", "number", "string", "array", "object"])
COUNTS = st.integers(0, 3)
CLASSES = (r"\d", r"^\w*$", r"\s")
PATTERNS = st.sampled_from([*CLASSES, "a", "^a", "b$", "^[a-c]+$", "(a|x)1?", "^.b", "^$", "[^a]", "a{2}"])
PLAIN: dict[str, st.SearchStrategy[Any]] = {
    "type": st.one_of(TYPES, st.lists(TYPES, min_size=1, max_size=3, unique=True)),
    "enum": st.lists(VALUES, min_size=1, max_size=3),
    "const": VALUES,
    "required": st.lists(NAMES, max_size=2, unique=True),
    "minLength": COUNTS,
    "maxLength": COUNTS,
    "minItems": COUNTS,
    "maxItems": COUNTS,
    "minProperties": COUNTS,
    "maxProperties": COUNTS,
    "uniqueItems": st.booleans(),
    "minimum": NUMBERS,
    "maximum": NUMBERS,
    "exclusiveMinimum": NUMBERS,
    "exclusiveMaximum": NUMBERS,
    "multipleOf": st.sampled_from([1, 2, 3, 0.5, 1.5]),
    "pattern": PATTERNS,
    "title": TEXTS,
    "default": VALUES,
}
REFS = st.sampled_from([{"$ref": "#/$defs/one"}, {"$ref": "#/$defs/two"}])


def deeper(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(inner, min_size=1, max_size=3)
    return st.fixed_dictionaries(
        {},
        optional=PLAIN
        | {
            "properties": st.dictionaries(NAMES, inner, max_size=3),
            "patternProperties": st.dictionaries(PATTERNS, inner, max_size=2),
            "additionalProperties": inner,
            "propertyNames": inner,
            "items": inner,
            "prefixItems": several,
            "allOf": several,
            "anyOf": several,
            "oneOf": several,
            "not": inner,
            "if": inner,
            "then": inner,
            "else": inner,
        },
    ).map(lambda schema: dict(list(schema.items())[:: max(1, len(schema) // 3)]))


LEAVES = st.one_of(
    st.booleans(), REFS, st.sampled_from(sorted(PLAIN)).flatmap(lambda k: PLAIN[k].map(lambda v: {k: v}))
)
SCHEMAS = st.recursive(LEAVES, deeper, max_leaves=8).filter(lambda schema: isinstance(schema, dict))
DEFINED = st.fixed_dictionaries(
    {"one": st.sampled_from([{"type": "integer"}, {"minLength": 2}]), "two": st.booleans()}
)


def whole(schema: dict[str, Any], defined: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "$defs": defined}


@pytest.fixture
def sql(migrated: Migrated) -> psycopg.Connection[Any]:
    return migrated.sql


def judged(sql: psycopg.Connection[Any], pairs: list[tuple[Any, Any]]) -> list[tuple[str | None, str | None]]:
    """(what is wrong with the schema, what is wrong with the value) of each pair, in one round trip."""
    schemas, values = [Jsonb(schema) for schema, _ in pairs], [Jsonb(value) for _, value in pairs]
    query = (
        "SELECT shardkeeper.json_schema_problem(s), shardkeeper.json_schema_error(s, v)"
        " FROM unnest(%s::jsonb[], %s::jsonb[]) WITH ORDINALITY q (s, v, n) ORDER BY n"
    )
    return [(row[0], row[1]) for row in sql.execute(query, (schemas, values))]


def as_python(schema: dict[str, Any]) -> dict[str, Any]:
    """The classes of ECMA 262 are of ASCII, which Python must be told."""
    written = json.dumps(schema)
    for pattern in CLASSES:
        written = written.replace(json.dumps(pattern), json.dumps(f"(?a){pattern}"))
    found: dict[str, Any] = json.loads(written)
    return found


@settings(
    max_examples=25, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
@given(
    cases=st.lists(
        st.tuples(st.builds(whole, SCHEMAS, DEFINED), st.lists(VALUES, min_size=4, max_size=8)),
        min_size=8,
        max_size=16,
    )
)
def test_values_fit_where_the_library_says_so(
    sql: psycopg.Connection[Any], cases: list[tuple[dict[str, Any], list[Any]]]
) -> None:
    pairs = [(schema, value) for schema, values in cases for value in values]
    for (schema, value), (problem, error) in zip(pairs, judged(sql, pairs), strict=True):
        assert problem is None, (schema, problem)
        assert schema_problem(schema) is None, schema
        assert (error is None) == Draft202012Validator(as_python(schema)).is_valid(value), (
            schema,
            value,
            error,
        )


THUMBNAIL = {
    "type": "object",
    "properties": {
        "path": {"type": "string", "minLength": 1},
        "sizes": {"type": "array", "items": {"type": "integer", "exclusiveMinimum": 0}, "uniqueItems": True},
        "tree": {"$ref": "#/$defs/tree"},
    },
    "required": ["path"],
    "additionalProperties": False,
    "$defs": {"tree": {"properties": {"left": {"$ref": "#/$defs/tree"}, "n": {"multipleOf": 0.1}}}},
}


PLACES: list[tuple[Any, str | None]] = [
    ({"path": "a.png", "sizes": [1, 2.0], "tree": {"left": {"n": 0.3}}}, None),
    ({"path": 1}, '$.path: is 1, not of type "string"'),
    ({}, '$: lacks "path"'),
    ({"path": "a", "sizes": [1, 0]}, "$.sizes[1]: is 0, not more than 0"),
    ({"path": "a", "sizes": [1, 1.0]}, "$.sizes: has equal items"),
    ({"path": "a", "pth": "b"}, '$: has "pth", which is not expected'),
    ({"path": "a", "tree": {"left": {"n": 0.35}}}, "$.tree.left.n: is 0.35, no multiple of 0.1"),
]


def test_the_place_and_what_is_wrong_there_are_told(sql: psycopg.Connection[Any]) -> None:
    found = judged(sql, [(THUMBNAIL, value) for value, _ in PLACES])
    assert found == [(None, error) for _, error in PLACES]


UNKNOWN = [
    ({"format": "date"}, "#/format is a keyword that is not of the subset"),
    ({"properties": {"a": {"typ": "string"}}}, "#/properties/a/typ is a keyword"),
    ({"type": "strng"}, "#/type is not one or more of null"),
    ({"type": []}, "#/type"),
    ({"properties": []}, "#/properties is not an object"),
    ({"items": [{}]}, "#/items is not a schema"),
    ({"anyOf": []}, "#/anyOf is not a list of schemas"),
    ({"anyOf": [True, {"minimum": "1"}]}, "#/anyOf/minimum is not a number"),
    ({"required": "a"}, "#/required is not a list of names"),
    ({"minLength": -1}, "#/minLength is not a whole number"),
    ({"minLength": 1.5}, "#/minLength is not a whole number"),
    ({"multipleOf": 0}, "#/multipleOf is not more than 0"),
    ({"uniqueItems": 1}, "#/uniqueItems is not true or false"),
    ({"enum": "a"}, "#/enum is not a list of values"),
    ({"$ref": "#/$defs/none"}, "#/$ref names nothing"),
    ({"$ref": "https://example.com/schema"}, "#/$ref names nothing"),
    ({"not": {"$defs": {}}}, "#/not/$defs is not at the top"),
    ({"title": 1}, "#/title is not a text"),
    ({"pattern": "(?=a)"}, "#/pattern holds a pattern that is not of the subset"),
    ({"pattern": r"(a)\1"}, "#/pattern holds a pattern that is not of the subset"),
    ({"pattern": r"\bword"}, "#/pattern holds a pattern that is not of the subset"),
    ({"pattern": "***=a"}, "#/pattern holds a pattern that is not of the subset"),
    ({"pattern": "[[:alpha:]]"}, "#/pattern holds a pattern that is not of the subset"),
    ({"pattern": "(a"}, "#/pattern holds a pattern that is no regular expression"),
    ({"pattern": "a{256}"}, "#/pattern holds a pattern that is no regular expression"),
    ({"pattern": "a++"}, "#/pattern holds a pattern that is not of the subset"),
    ({"patternProperties": {"(": True}}, "#/patternProperties holds a pattern that is no regular expression"),
]


def test_what_is_not_judged_is_refused_where_it_is_written(migrated: Migrated) -> None:
    for schema, problem in UNKNOWN:
        assert (schema_problem(schema) or "").startswith(problem)
        with pytest.raises(psycopg.errors.CheckViolation) as refused:
            migrated.job(parameters_schema=Jsonb(schema))
        assert (refused.value.diag.message_primary or "").startswith(f"parameters_schema: {problem}")


def test_schemas_nested_too_deeply_are_refused_by_both(sql: psycopg.Connection[Any]) -> None:
    schema: dict[str, Any] = {}
    for _ in range(40):
        schema = {"not": schema}
    ((problem, _),) = sql.execute(
        "SELECT shardkeeper.json_schema_problem(%s), 1", (Jsonb(schema),)
    ).fetchall()
    assert "more than 32 deep" in problem
    assert "more than 32 deep" in (schema_problem(schema) or "")


def test_a_schema_that_names_itself_without_end_refuses_every_value(migrated: Migrated) -> None:
    migrated.job(parameters_schema=Jsonb({"not": {"$ref": "#"}}))
    with pytest.raises(psycopg.Error) as refused:
        migrated.sql.execute("SELECT shardkeeper.submit('job', '{}')")
    assert refused.value.sqlstate == "SKREF"
    assert "too deeply" in (refused.value.diag.message_primary or "")


def test_classes_are_of_ascii_in_any_database(sql: psycopg.Connection[Any]) -> None:
    pairs: list[tuple[dict[str, Any], Any]] = [({"pattern": r"^\w*$"}, "é"), ({"pattern": r"^\w*$"}, "e_1")]
    (_, foreign), (_, plain) = judged(sql, pairs)
    assert foreign == '$: is "é", which does not match ^\\w*$'
    assert plain is None
