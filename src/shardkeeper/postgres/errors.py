"""What psycopg raises, in the words of the domain."""

from __future__ import annotations

from typing import Final

import psycopg
from psycopg import errors as pg

from shardkeeper.domain.errors import OrderRefused, PartlyUnanswered, StoreUnavailable

REFUSED_STATE: Final = "SKREF"
"""SQLSTATE of what the functions of ``sql/`` refuse by themselves (060_operator.sql)."""

RETRIED: Final = (pg.DeadlockDetected, pg.SerializationFailure)
"""PostgreSQL rolled the whole call back so that others could go on: the same call, made again, succeeds."""

TIMED_OUT: Final = (pg.LockNotAvailable, pg.QueryCanceled)

_OVERTAKEN: Final = ("tuple concurrently ", "cache lookup failed for ", "could not open relation with OID ")
"""How PostgreSQL says, in these words alone and in no other language, that what a call had found in the catalog was
changed or dropped before the call came to it."""


class StoreTimeout(StoreUnavailable):
    """The store did not finish the call within its time limit; nothing of it was stored."""


class BatchTimeout(PartlyUnanswered, StoreTimeout):
    """The store did not finish the calls for some of a batch within its time limit."""


def is_overtaken(error: psycopg.Error) -> bool:
    """Whether what the connection knows was changed under the call: the schema, by an upgrade beside nodes that work or
    a day's partitions that came or went; or what was prepared on it.

    Nothing of the call was done, and made again it succeeds, but not always on the same connection: a statement that
    was prepared when its result had other columns ("cached plan must not change result type"), or that a pooler has
    forgotten, fails there for ever.
    """
    if isinstance(error, pg.InvalidSqlStatementName):
        # somebody between here and the server has thrown away what was prepared
        return True
    if isinstance(error, pg.FeatureNotSupported):
        # by the place in PostgreSQL's source, since the words are translated
        return error.diag.source_function == "RevalidateCachedQuery"
    return isinstance(error, pg.InternalError_) and (error.diag.message_primary or "").startswith(_OVERTAKEN)


def is_refusal(error: psycopg.Error) -> bool:
    """Whether the values given are the trouble: a CHECK, a type, a key, too long, or a refusal of our functions."""
    return error.sqlstate is not None and (
        error.sqlstate == REFUSED_STATE or error.sqlstate[:2] in ("22", "23", "54")
    )


def refusal(error: psycopg.Error) -> OrderRefused:
    """The refusal in PostgreSQL's words; of a CHECK its name, which says what it asks for, and the row."""
    diagnostics = error.diag
    if error.sqlstate == REFUSED_STATE:
        return OrderRefused(diagnostics.message_primary)
    parts = [diagnostics.message_primary or str(error)]
    if isinstance(error, pg.CheckViolation) and diagnostics.constraint_name:
        # a domain's has no table
        parts = [f"{diagnostics.table_name or diagnostics.datatype_name}: {diagnostics.constraint_name}"]
    parts += [part for part in (diagnostics.message_detail, diagnostics.message_hint) if part]
    return OrderRefused("; ".join(" ".join(part.split())[:500] for part in parts))
