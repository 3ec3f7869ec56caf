"""Writing whole specs: what a mapping leaves out gets the column's default, what is the same stays untouched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from psycopg import sql
from psycopg.types.json import Jsonb

from shardkeeper.domain.errors import OrderRefused
from shardkeeper.postgres.connection import Raw

_IMPL_COLUMNS: Final = ("name", "kind", "entrypoint", "parameters", "isolation", "description")
_SOURCE_COLUMNS: Final = ("impl_spec", "key", "weight", "location", "parameters", "enabled")
_JOB_COLUMNS: Final = (
    "name", "impl_spec", "cron", "every", "run_at", "starts_at", "ends_at", "sharding_total_count",
    "sharding_item_parameters", "sharding_strategy", "parameters", "misfire", "misfire_grace",
    "catch_up_limit", "overlap", "failover", "on_lease_loss", "max_attempts", "max_takeovers", "retry_delay",
    "retry_backoff", "retry_max_delay", "timeout", "phase_timeouts", "late_after", "finish_within", "priority",
    "pool", "max_running", "concurrency_key", "max_running_per_key", "rate_limit", "rate_period", "follows",
    "retry_on", "give_up_on", "retention", "parameters_schema", "parameters_limit", "node_selector", "alert",
    "labels", "owner", "description", "enabled",
)  # fmt: skip
_JSON: Final = frozenset(
    [
        "parameters", "sharding_item_parameters", "phase_timeouts", "node_selector", "alert", "labels", "follows",
        "retry_on", "give_up_on", "parameters_schema",
    ]
)  # fmt: skip

INSERTED, UPDATED, UNCHANGED = "inserted", "updated", "unchanged"


def apply_job(raw: Raw, job: Mapping[str, Any]) -> str:
    """Upsert one job; ``inserted``, ``updated`` or ``unchanged``."""
    values = {column: value for column, value in job.items() if column != "version"}
    return _upsert(raw, "job_spec", _JOB_COLUMNS, ("name",), values)


def apply_impl(raw: Raw, impl: Mapping[str, Any]) -> str:
    """Upsert one ImplSpec and make its sources those given; ``updated`` also when only a source differs."""
    name = impl["name"]
    values = {column: value for column, value in impl.items() if column not in ("sources", "version")}
    answer = _upsert(raw, "impl_spec", _IMPL_COLUMNS, ("name",), values)
    sources = list(impl.get("sources") or ())
    keys = [str(source["key"]) for source in sources]
    gone = raw.execute(
        "DELETE FROM shardkeeper.source_data WHERE impl_spec = %s AND key <> ALL (%s)", (name, keys)
    ).rowcount
    changed = [
        _upsert(raw, "source_data", _SOURCE_COLUMNS, ("impl_spec", "key"), {**source, "impl_spec": name})
        for source in sources
    ]
    if answer == UNCHANGED and (gone or any(each != UNCHANGED for each in changed)):
        return UPDATED
    return answer


def _upsert(
    raw: Raw, table: str, columns: tuple[str, ...], key: tuple[str, ...], values: Mapping[str, Any]
) -> str:
    unknown = sorted(set(values) - set(columns))
    if unknown:
        raise OrderRefused(f"{table} has no column {', '.join(unknown)}: {', '.join(columns)} are known")
    given = [column for column in columns if column in values]
    others = [column for column in columns if column not in key]
    statement = sql.SQL(
        "INSERT INTO shardkeeper.{table} AS old ({given}) VALUES ({values}) ON CONFLICT ({key}) DO UPDATE "
        "SET ({others}) = ROW ({new}) WHERE ({old}) IS DISTINCT FROM ({new}) RETURNING xmax = 0"
    ).format(
        table=sql.Identifier(table),
        given=_list(given),
        values=sql.SQL(", ").join([sql.Placeholder()] * len(given)),
        key=_list(key),
        others=_list(others),
        new=_list(others, "excluded"),
        old=_list(others, "old"),
    )
    row = raw.execute(statement, [_adapted(column, values[column]) for column in given]).fetchone()
    if row is None:
        return UNCHANGED
    return INSERTED if row[0] else UPDATED


def _list(columns: tuple[str, ...] | list[str], of: str | None = None) -> sql.Composed:
    names = [sql.Identifier(column) if of is None else sql.Identifier(of, column) for column in columns]
    return sql.SQL(", ").join(names)


def _adapted(column: str, value: Any) -> Any:
    if column not in _JSON:
        return value
    if isinstance(value, Mapping):
        return Jsonb(dict(value))
    return Jsonb(list(value)) if isinstance(value, list | tuple) else value
