"""The ways of submitting that are measured: the Python client where the package has one, else plain SQL."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import psycopg
from psycopg.types.json import Jsonb

import shardkeeper


class Door(Protocol):
    """Where submissions are handed in; each call returns when they are committed."""

    @property
    def name(self) -> str:
        """For the notes of the table."""

    def submit(self, job: str, parameters: Mapping[str, Any]) -> None:
        """One."""

    def submit_many(self, job: str, count: int) -> None:
        """As many without parameters, in the quickest way that this door has."""


class SqlDoor:
    """``shardkeeper.submit`` on one connection, as a prepared statement."""

    name = "SQL function shardkeeper.submit, one psycopg connection, prepared"

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def submit(self, job: str, parameters: Mapping[str, Any]) -> None:
        self._connection.execute(
            "select shardkeeper.submit(%s, %s)", (job, Jsonb(dict(parameters))), prepare=True
        )

    def submit_many(self, job: str, count: int) -> None:
        self._connection.execute(
            "select count(shardkeeper.submit(%s::text)) from generate_series(1, %s::int)", (job, count)
        )


class ClientDoor:
    """``shardkeeper.Client``."""

    name = "shardkeeper.Client: submit, submit_many"

    def __init__(self, client: Any) -> None:
        self._client = client

    def submit(self, job: str, parameters: Mapping[str, Any]) -> None:
        self._client.submit(job, dict(parameters))

    def submit_many(self, job: str, count: int) -> None:
        self._client.submit_many(job, [{}] * count)


@contextmanager
def open_door(url: str, environment: Mapping[str, str], sql: bool = False) -> Iterator[Door]:
    """The client unless ``sql`` is asked for or the package has none yet."""
    client = None if sql else getattr(shardkeeper, "Client", None)
    if client is None:
        with psycopg.connect(url, autocommit=True) as connection:
            yield SqlDoor(connection)
        return
    # a client reads its settings where the command line reads them
    os.environ.update({name: value for name, value in environment.items() if name.startswith("SHARDKEEPER_")})
    with client() as opened:
        yield ClientDoor(opened)
