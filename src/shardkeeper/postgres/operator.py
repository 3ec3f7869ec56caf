"""The OperatorStore: listings, and orders in the name of whoever gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from json import dumps
from typing import Any, TypeVar

import psycopg
from psycopg.types.json import Jsonb

from shardkeeper.domain.accounting import DueRun
from shardkeeper.domain.errors import OrderRefused, Refused
from shardkeeper.domain.naming import parse_run_name
from shardkeeper.domain.view import View
from shardkeeper.ports.operator import Past, Row, RunFilter
from shardkeeper.postgres import listings, submissions
from shardkeeper.postgres.applying import apply_impl, apply_job
from shardkeeper.postgres.connection import Connection, Raw
from shardkeeper.postgres.errors import is_refusal, refusal
from shardkeeper.postgres.leases import view_of

T = TypeVar("T")

_ACTOR = "SELECT set_config('shardkeeper.actor', %s, true)"


class PostgresOperator:
    """See ``ports.operator.OperatorStore``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def jobs(self, labels: Mapping[str, str] | None = None, name: str | None = None) -> list[Row]:
        wanted = {"labels": Jsonb(dict(labels or {})), "name": name}
        return self._connection.rows(listings.JOBS, wanted)

    def following(self) -> dict[str, Mapping[str, Any]]:
        return {row["name"]: row["follows"] for row in self._connection.rows(listings.FOLLOWING)}

    def impls(self) -> list[Row]:
        return self._connection.rows(listings.IMPLS)

    def runs(self, wanted: RunFilter) -> list[Row]:
        query, values = listings.runs_query(wanted)
        return self._connection.rows(query, values)

    def run(self, run: int | str) -> Row | None:
        if isinstance(run, int):
            found = self._connection.rows(listings.RUN_BY_ID, (run,))
        else:
            try:
                job_name, fire_time = parse_run_name(run)
            except Refused:
                return None
            found = self._connection.rows(listings.RUN_BY_NAME, {"job": job_name, "fire_time": fire_time})
        if not found:
            return None
        row = found[0]
        key = (row["id"], row["fire_time"])
        row["shard_runs"] = self._connection.rows(listings.ATTEMPTS, key)
        row["values"] = self._connection.rows(listings.VALUES, key)
        of = {name: row[name] for name in ("id", "job_name", "fire_time")}
        row["follow_ups"] = self._connection.rows(listings.FOLLOW_UPS, of)
        return row

    def running_items(self, job: str | None = None) -> list[Row]:
        return self._connection.rows(listings.OPEN_ITEMS, {"job": job})

    def pools(self) -> list[Row]:
        return self._connection.rows(listings.POOLS)

    def leases(self) -> list[Row]:
        return self._connection.rows(listings.NODES)

    def mirrored_view(self) -> View | None:
        found = self._connection.rows(listings.MIRRORED)
        return view_of(found[0]["view"]) if found else None

    def trigger(
        self, job: str, parameters: Mapping[str, Any], item: int | None, fire_time: datetime | None, by: str
    ) -> int:
        query = "SELECT shardkeeper.order_run(%s, %s, %s, %s)"
        return int(self._order(by, query, (job, Jsonb(dict(parameters)), item, fire_time)))

    def submit(
        self,
        job: str,
        parameters: Mapping[str, Any],
        key: str | None,
        priority: int,
        at: datetime | None,
        by: str,
    ) -> int:
        def submitted(raw: Raw) -> str:
            values = (
                job,
                dumps(dict(parameters)),
                key,
                str(_priority(priority)),
                None if at is None else at.isoformat(),
                by,
            )
            return submissions.SUBMIT.value(raw, values)

        return int(self._refusing(submitted))

    def submit_many(
        self,
        job: str,
        parameters: Sequence[Mapping[str, Any]],
        keys: Sequence[str] | None,
        priority: int,
        at: datetime | None,
        by: str,
    ) -> list[int]:
        given = [Jsonb(dict(each)) for each in parameters]
        values = (job, given, None if keys is None else list(keys), _priority(priority), at, by)
        return list(self._refusing(lambda raw: _value(raw, submissions.SUBMIT_MANY, values)))

    def run_states(self, run_ids: Sequence[int]) -> list[Row]:
        return self._connection.rows(submissions.STATES, {"ids": list(run_ids)})

    def past(self, job: str, since: datetime, until: datetime) -> Past:
        ((answer,),) = self._connection.fetch(submissions.PAST, (job, since, until))
        return submissions.past_of(answer)

    def backfill(self, job: str, runs: Sequence[DueRun], by: str) -> list[int]:
        return list(self._order(by, submissions.BACKFILL, (job, submissions.due_json(runs))))

    def stop(self, run_id: int, by: str) -> bool:
        return bool(self._order(by, "SELECT shardkeeper.stop_run(%s)", (run_id,)))

    def rerun(self, run_id: int, parameters: Mapping[str, Any], same_version: bool, by: str) -> int:
        query = "SELECT shardkeeper.rerun_run(%s, %s, %s)"
        return int(self._order(by, query, (run_id, Jsonb(dict(parameters)), same_version)))

    def pause(self, job: str, reason: str | None, until: datetime | None, by: str) -> None:
        self._order(by, "SELECT shardkeeper.pause_job(%s, %s, %s)", (job, reason, until))

    def resume(self, job: str, by: str) -> bool:
        return bool(self._order(by, "SELECT shardkeeper.resume_job(%s)", (job,)))

    def order_drain(self, node_id: str, draining: bool, by: str) -> None:
        self._order(by, "SELECT shardkeeper.order_drain(%s, %s)", (node_id, draining))

    def order_workers(self, node_id: str, workers: int, by: str) -> None:
        self._order(by, "SELECT shardkeeper.order_workers(%s, %s)", (node_id, workers))

    def apply(self, impls: Sequence[Mapping[str, Any]], jobs: Sequence[Mapping[str, Any]], by: str) -> Row:
        def write(raw: Raw) -> Row:
            answer: Row = {"inserted": [], "updated": [], "unchanged": []}
            with raw.transaction():
                raw.execute(_ACTOR, (by,))
                for impl in impls:
                    answer[apply_impl(raw, impl)].append(str(impl["name"]))
                for job in jobs:
                    answer[apply_job(raw, job)].append(str(job["name"]))
            return answer

        return self._refusing(write)

    def health(self) -> Row:
        (row,) = self._connection.rows(listings.HEALTH)
        row["problems"] = [each["problem"] for each in self._connection.rows(listings.PROBLEMS)]
        return row

    def _order(self, by: str, query: str, values: Sequence[Any]) -> Any:
        """Call a function in the name of ``by``; its value."""

        def ask(raw: Raw) -> Any:
            with raw.transaction():
                raw.execute(_ACTOR, (by,))
                return _value(raw, query, values)

        return self._refusing(ask)

    def _refusing(self, work: Callable[[Raw], T]) -> T:
        try:
            return self._connection.run(work)
        except psycopg.Error as error:
            if is_refusal(error):
                raise refusal(error) from error
            if isinstance(error, psycopg.DataError) and error.sqlstate is None:
                # psycopg itself would not send it, such as a text with NUL
                raise OrderRefused(f"a value cannot be stored: {error}") from error
            raise
        except (ValueError, TypeError) as error:
            raise OrderRefused(f"a value cannot be written as JSON: {error}") from error


def _value(raw: Raw, query: str, values: Sequence[Any]) -> Any:
    row = raw.execute(query, values).fetchone()
    return None if row is None else row[0]


def _priority(priority: int) -> int:
    """As PostgreSQL's smallint, which the function then refuses by itself."""
    return max(-32_768, min(32_767, priority))
