"""The pace of the disk and of PostgreSQL at this minute: a row inserted and committed, and nothing else."""

from __future__ import annotations

from typing import Any

import psycopg

from bench.clock import timed

ROWS = 300
TABLE = """
create table public.bare (
    id bigint generated always as identity primary key, job text, parameters jsonb,
    created_at timestamptz not null default now())"""
INSERT = "insert into public.bare (job, parameters) values ('noop', '{}')"


class BareInserts:
    """One connection, a prepared statement, a flushed commit for each row: no submission that is kept in PostgreSQL
    can be quicker."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        connection.execute(TABLE)

    def per_second(self) -> float:
        return ROWS / timed(self._insert)

    def _insert(self) -> None:
        for _ in range(ROWS):
            self._connection.execute(INSERT, prepare=True)
