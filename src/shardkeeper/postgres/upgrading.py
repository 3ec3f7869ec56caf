"""One way up for the schema, beside nodes that go on working on it.

A change of a table needs a lock that excludes everybody, and while it waits for one that another holds, everybody who
comes later queues behind it. So it waits for a moment only (``LOCK_S``), is rolled back, lets the others pass, and
tries again, later each time. Each revision is a transaction of its own: its locks last no longer than it, and what was
done before another had to wait stays done. One upgrade at a time, by an advisory lock of the session.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any, Final, TypeAlias

import psycopg
from psycopg import errors as pg
from sqlalchemy import create_engine, pool
from sqlalchemy.engine import Connection as BoundConnection
from sqlalchemy.exc import DBAPIError

from shardkeeper.domain.errors import GaveUpWaiting, Refused, StoreUnavailable
from shardkeeper.postgres.connection import ConnectionOptions
from shardkeeper.postgres.errors import RETRIED, is_overtaken
from shardkeeper.postgres.lock_watch import LockWatch

LOCK_S: Final = 0.5
"""How long one lock is waited for. Less than PostgreSQL's `deadlock_timeout` (1 s), so that in a circle of locks it is
the upgrade that gives way, and less than what anybody would call late."""
PATIENCE_S: Final = 60.0
"""How long it is tried again before giving up."""
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 5.0
LOCK_KEY: Final = 6363318199

Tell: TypeAlias = Callable[[str], None]
"""Told in one line what is going on, for people."""


class Upgrading:
    """Of the database at ``url``. ``patience_s``: how long locks that others hold are waited for in all."""

    def __init__(self, url: str, patience_s: float, tell: Tell) -> None:
        self._options = ConnectionOptions(
            url,
            application_name="shardkeeper db upgrade",
            lock_timeout_s=LOCK_S,
            # a large index takes as long as it takes, whatever the role's own limits are
            statement_timeout_s=0.0,
            idle_in_transaction_s=0.0,
        )
        self._patience_s = patience_s
        self._tell = tell

    def run(self, work: Callable[[BoundConnection], None]) -> None:
        """Give ``work`` a connection outside of any transaction, again and again while others are in the way of it:
        each time it must go on from what it has committed.

        Raises GaveUpWaiting after ``patience_s`` (naming who was in the way), Refused where the user may not change the
        schema, and StoreUnavailable.
        """
        waited_s = 0.0
        pause_s = _FIRST_PAUSE_S
        while (watch := self._tried(work)) is not None:
            wait_s = random.uniform(0.5, 1.0) * pause_s
            # not by the clock: building a large index is no waiting
            waited_s += watch.waited_s + wait_s
            if waited_s > self._patience_s:
                raise GaveUpWaiting(
                    f"gave up after {self._patience_s:g} s, with nothing half done: the upgrade waited for "
                    f"{watch.blockers}; end that, or allow more time with --timeout"
                )
            self._tell(f"waits for {watch.blockers}; lets the others pass and tries again in {wait_s:.1f} s")
            threading.Event().wait(wait_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _tried(self, work: Callable[[BoundConnection], None]) -> LockWatch | None:
        """What was seen of those who were in the way; None: it is done."""
        try:
            with closing(self._connected()) as raw, self._watch(raw) as watch:
                try:
                    _take_turn(raw)
                    _work_on(raw, work)
                except (DBAPIError, psycopg.Error) as error:
                    if not _passes(_cause(error)):
                        raise
                    return watch
        except (DBAPIError, psycopg.Error) as error:
            cause = _cause(error)
            if isinstance(cause, pg.InsufficientPrivilege):
                raise Refused(
                    f"{_line(cause)}: run `shardkeeper db upgrade` as the database's owner"
                ) from error
            if isinstance(cause, psycopg.OperationalError):
                raise StoreUnavailable(f"PostgreSQL: {_line(cause)}") from error
            raise
        return None

    def _watch(self, raw: psycopg.Connection[Any]) -> LockWatch:
        return LockWatch(self._options.conninfo(), raw.info.backend_pid)

    def _connected(self) -> psycopg.Connection[Any]:
        raw = psycopg.connect(self._options.conninfo(), autocommit=True)
        # what psycopg would prepare is of a schema that is just being changed
        raw.prepare_threshold = None
        raw.add_notice_handler(lambda notice: self._tell(str(notice.message_primary)))
        return raw


def _take_turn(raw: psycopg.Connection[Any]) -> None:
    raw.execute("SET search_path = pg_catalog")
    raw.execute("SET client_min_messages = warning")
    raw.execute("SELECT pg_advisory_lock(%s)", (LOCK_KEY,))


def _work_on(raw: psycopg.Connection[Any], work: Callable[[BoundConnection], None]) -> None:
    raw.autocommit = False
    engine = create_engine("postgresql+psycopg://", creator=lambda: raw, poolclass=pool.StaticPool)
    try:
        with engine.connect() as bound:
            work(bound)
    finally:
        engine.dispose()


def _passes(error: psycopg.Error) -> bool:
    """Whether it succeeds once others are out of the way."""
    return isinstance(error, (pg.LockNotAvailable, *RETRIED)) or is_overtaken(error)


def _cause(error: DBAPIError | psycopg.Error) -> psycopg.Error:
    cause = error.orig if isinstance(error, DBAPIError) else error
    assert isinstance(cause, psycopg.Error)
    return cause


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:500]
