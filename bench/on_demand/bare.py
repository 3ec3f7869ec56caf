"""The floor under all that keep their tasks in PostgreSQL: a row inserted and committed, and nothing else."""

from __future__ import annotations

from typing import Any

import psycopg

from bench.clock import timed
from bench.on_demand.options import Options
from bench.on_demand.rows import Round

INSERT = "insert into public.bare (job, parameters) values (%s, '{}')"
INSERT_MANY = "insert into public.bare (job, parameters) select %s, '{}' from generate_series(1, %s::int)"


class BareInsert:
    """One connection, a prepared statement, a commit flushed for each row."""

    name = "(a bare INSERT)"
    isolation = "–"
    notes = ("what this PostgreSQL and this disk give at best, for scale",)

    def __init__(self, connection: psycopg.Connection[Any], options: Options) -> None:
        self._connection = connection
        self._options = options
        connection.execute(
            "create table public.bare (id bigint generated always as identity primary key, job text, "
            "parameters jsonb, created_at timestamptz not null default now())"
        )

    def round(self) -> Round:
        singles, bulk = self._options.singles, self._options.tasks - self._options.singles
        one_by_one_s = timed(self._insert_singles)
        bulk_s = timed(lambda: self._connection.execute(INSERT_MANY, ("noop", bulk)))
        return Round({"submit_per_s": singles / one_by_one_s, "bulk_per_s": bulk / bulk_s})

    def _insert_singles(self) -> None:
        for _ in range(self._options.singles):
            self._connection.execute(INSERT, ("noop",), prepare=True)
