"""What psycopg raises, in the words of the domain. Foreign errors end here."""

from __future__ import annotations

from typing import Final

import psycopg
from psycopg import errors as pg

from shardkeeper.domain.errors import OrderRefused, ShardkeeperError, StoreUnavailable

REFUSED_STATE: Final = "SKREF"
"""SQLSTATE of what the functions of ``sql/`` refuse by themselves (060_operator.sql)."""

RETRIED: Final = (pg.DeadlockDetected, pg.SerializationFailure)
"""PostgreSQL rolled the whole call back so that others could go on: the same call, made again, succeeds."""

TIMED_OUT: Final = (pg.LockNotAvailable, pg.QueryCanceled, pg.IdleInTransactionSessionTimeout)


class StoreTimeout(StoreUnavailable):
    """The store did not finish the call within its time limit; nothing of it was stored."""


class StoreMisused(ShardkeeperError):
    """The store refused a call for a reason that repeating it does not change."""


def is_refusal(error: psycopg.Error) -> bool:
    """Whether PostgreSQL says that the values given are the trouble: a CHECK, a type, a key, or a refusal of ours."""
    if error.sqlstate == REFUSED_STATE:
        return True
    return isinstance(error, psycopg.IntegrityError | psycopg.DataError)


def refusal(error: psycopg.Error) -> OrderRefused:
    """The refusal, naming the constraint (they are named by what they ask for) and PostgreSQL's detail."""
    diagnostics = error.diag
    if error.sqlstate == REFUSED_STATE:
        return OrderRefused(diagnostics.message_primary)
    parts = [diagnostics.message_primary or str(error).strip()]
    if isinstance(error, pg.CheckViolation) and diagnostics.constraint_name:
        parts = [f"{diagnostics.table_name}: {diagnostics.constraint_name}"]
    parts += [part for part in (diagnostics.message_detail, diagnostics.message_hint) if part]
    return OrderRefused("; ".join(" ".join(part.split())[:500] for part in parts))


def translated(error: psycopg.Error) -> ShardkeeperError:
    """The domain's error for one of psycopg's."""
    text = " ".join(str(error).split())[:500]
    if isinstance(error, TIMED_OUT):
        return StoreTimeout(f"PostgreSQL: {text}")
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return StoreUnavailable(f"PostgreSQL: {text}")
    if is_refusal(error):
        return refusal(error)
    return StoreMisused(f"PostgreSQL ({error.sqlstate}): {text}")
