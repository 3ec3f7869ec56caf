"""Reads the catalog of the schema from a database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

import psycopg

from tests.postgres.additive.catalog import Catalog, Column, Function, Relation, Rule

# partitions come and go by themselves: of them only whether they were rewritten
_RELATIONS: Final = """
SELECT c.relname::text, c.relkind::text, nullif(pg_relation_filenode(c.oid), 0)::int8, c.relispartition
FROM pg_class c
WHERE c.relnamespace = 'shardkeeper'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'c')
"""
_COLUMNS: Final = """
SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull,
       a.atthasdef OR a.attidentity <> ''
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relnamespace = 'shardkeeper'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'c') AND NOT c.relispartition
      AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY 1, a.attnum
"""
_OF: Final = """
       ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = {relation} AND a.attnum = ANY ({numbers}))
"""
# not null is told of with the column, and what follows from a trigger with the trigger
_RULES: Final = f"""
SELECT c.relname::text, k.conname::text, pg_get_constraintdef(k.oid),
       {_OF.format(relation="k.conrelid", numbers="k.conkey")}
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
WHERE c.relnamespace = 'shardkeeper'::regnamespace AND NOT c.relispartition AND k.contype NOT IN ('n', 't')
UNION ALL
SELECT c.relname::text, i.relname::text, pg_get_indexdef(x.indexrelid),
       {_OF.format(relation="x.indrelid", numbers="x.indkey::smallint[]")}
FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
WHERE c.relnamespace = 'shardkeeper'::regnamespace AND NOT c.relispartition AND x.indisunique
      AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = x.indexrelid)
"""
_INDEXES: Final = """
SELECT c.relname::text, i.relname::text FROM pg_index x
JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
WHERE c.relnamespace = 'shardkeeper'::regnamespace AND NOT c.relispartition AND x.indisvalid
"""
_TRIGGERS: Final = """
SELECT c.relname::text, t.tgname::text FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE c.relnamespace = 'shardkeeper'::regnamespace AND NOT c.relispartition AND NOT t.tgisinternal
      AND t.tgenabled <> 'D'
"""
_FUNCTIONS: Final = """
SELECT p.proname::text, oidvectortypes(p.proargtypes),
       coalesce(p.proargnames, '{}'), p.prokind::text || ' ' || coalesce(pg_get_function_result(p.oid), ''),
       p.pronargs - p.pronargdefaults, p.pronargs, p.prosecdef
FROM pg_proc p WHERE p.pronamespace = 'shardkeeper'::regnamespace
"""
_DOMAINS: Final = """
SELECT t.typname::text, format_type(t.typbasetype, t.typtypmod) || coalesce(
    (SELECT string_agg(k.conname || ' ' || pg_get_constraintdef(k.oid), '; ' ORDER BY k.conname)
     FROM pg_constraint k WHERE k.contypid = t.oid), '')
FROM pg_type t WHERE t.typnamespace = 'shardkeeper'::regnamespace AND t.typtype = 'd'
"""
_GRANTS: Final = """
SELECT o.what, g.grantee::regrole::text, g.privilege_type FROM (
    SELECT c.relname::text AS what, c.relacl AS acl FROM pg_class c
    WHERE c.relnamespace = 'shardkeeper'::regnamespace AND NOT c.relispartition
    UNION ALL
    SELECT p.oid::regprocedure::text, p.proacl FROM pg_proc p WHERE p.pronamespace = 'shardkeeper'::regnamespace
    UNION ALL
    SELECT 'the schema', n.nspacl FROM pg_namespace n WHERE n.nspname = 'shardkeeper') o
CROSS JOIN LATERAL aclexplode(o.acl) g
"""


def read_catalog(sql: psycopg.Connection[Any]) -> Catalog:
    """Of the database that ``sql`` is connected to."""
    columns = _by_relation(
        {
            (table, name): Column(type_, not_null, default)
            for table, name, type_, not_null, default in sql.execute(_COLUMNS)
        }
    )
    rules = _by_relation(
        {(table, name): Rule(says, frozenset(of)) for table, name, says, of in sql.execute(_RULES)}
    )
    indexes, triggers = _names(sql, _INDEXES), _names(sql, _TRIGGERS)
    return Catalog(
        {
            name: Relation(
                "partition" if partition else kind,
                columns.get(name, {}),
                rules.get(name, {}),
                frozenset(indexes[name]),
                frozenset(triggers[name]),
                # a sequence gets another file without anybody's noticing
                None if kind == "S" else file,
            )
            for name, kind, file, partition in sql.execute(_RELATIONS)
        },
        {
            (name, types): Function(tuple(arguments), result, least, most, definer)
            for name, types, arguments, result, least, most, definer in sql.execute(_FUNCTIONS)
        },
        dict(sql.execute(_DOMAINS).fetchall()),
        frozenset(sql.execute(_GRANTS).fetchall()),
    )


def _by_relation(found: Mapping[tuple[str, str], Any]) -> dict[str, dict[str, Any]]:
    sorted_: dict[str, dict[str, Any]] = defaultdict(dict)
    for (relation, name), each in found.items():
        sorted_[relation][name] = each
    return sorted_


def _names(sql: psycopg.Connection[Any], query: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for relation, name in sql.execute(query):
        found[relation].add(name)
    return found
