"""Errors that say the database is not the one we need, or not for this user: what they mean and what mends them."""

from __future__ import annotations

from typing import Final

import psycopg
from psycopg import errors as pg

from shardkeeper.domain.errors import Refused, SchemaMissing, SchemaOlder, ShardkeeperError

_LACKING: Final = (pg.UndefinedTable, pg.UndefinedFunction, pg.UndefinedColumn, pg.UndefinedObject)


def misfit(error: psycopg.Error) -> ShardkeeperError | None:
    """The error in our words, when the schema or the user's rights are the trouble; else None."""
    said = " ".join((error.diag.message_primary or "").split())
    if isinstance(error, pg.InvalidSchemaName):
        return SchemaMissing()
    if isinstance(error, _LACKING) and "shardkeeper." in said:
        # without the schema, a table in it is called unknown too
        return SchemaOlder(
            f"the database lacks what this version needs ({said}): run `shardkeeper db upgrade`"
        )
    if isinstance(error, pg.InsufficientPrivilege):
        return Refused(f"PostgreSQL: {said}: be granted the role it takes, such as shardkeeper_node")
    return None
