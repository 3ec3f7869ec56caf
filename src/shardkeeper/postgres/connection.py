"""One connection to PostgreSQL that comes back by itself, with every wait bounded."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from threading import Event, Lock, local
from typing import Any, Final, TypeAlias, TypeVar

import psycopg
from psycopg import conninfo
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads

from shardkeeper.domain.errors import SettingsInvalid, ShardkeeperError, StoreUnavailable
from shardkeeper.postgres.errors import RETRIED, TIMED_OUT, StoreTimeout, is_overtaken, is_refusal
from shardkeeper.postgres.misfits import misfit
from shardkeeper.postgres.patience import PatientConnection
from shardkeeper.postgres.quick_json import loads

T = TypeVar("T")
Raw: TypeAlias = PatientConnection
Parameters: TypeAlias = Mapping[str, Any] | Sequence[Any]

__all__ = ["Connection", "ConnectionOptions", "Parameters", "Raw", "StoreTimeout"]

_URL_MEND: Final = "write postgresql://user:password@host:5432/database, special signs of the password as %40"
_STATEMENT_TIMEOUT: Final = "SELECT setting::float8 / 1000 FROM pg_settings WHERE name = 'statement_timeout'"
_RETRIES: Final = 8
_RETRY_PAUSE_S: Final = 0.01


@dataclass(frozen=True, slots=True)
class ConnectionOptions:
    """How to reach PostgreSQL, and how long to wait for what (seconds).

    ``lock_timeout_s`` must be less than ``statement_timeout_s``, so that a lock that is not to be had is told as such.
    ``silence_s``: a peer that answers nothing for so long counts as gone (TCP_USER_TIMEOUT and keepalives), and so does
    a server that has not ended a statement so long after its time-out.
    """

    url: str
    application_name: str = "shardkeeper"
    connect_timeout_s: int = 5
    lock_timeout_s: float = 4.0
    statement_timeout_s: float = 10.0
    idle_in_transaction_s: float = 10.0
    silence_s: int = 6

    def conninfo(self) -> str:
        """libpq's connection string; what the URL itself says wins."""
        try:
            given = conninfo.conninfo_to_dict(self.url)
        except psycopg.ProgrammingError:
            # libpq's own message shows the URL, password and all
            raise SettingsInvalid([f"database_url: is no connection string: {_URL_MEND}"]) from None
        settings = {
            "lock_timeout": f"{self.lock_timeout_s * 1000:.0f}",
            "statement_timeout": f"{self.statement_timeout_s * 1000:.0f}",
            "idle_in_transaction_session_timeout": f"{self.idle_in_transaction_s * 1000:.0f}",
            "timezone": "UTC",
            # calls are short: compiling them costs more than it saves
            "jit": "off",
        }
        flags = " ".join(f"-c {name}={value}" for name, value in settings.items())
        probe = max(1, self.silence_s // 3)
        ours: dict[str, Any] = {
            "application_name": self.application_name,
            "connect_timeout": self.connect_timeout_s,
            "keepalives": 1,
            "keepalives_idle": probe,
            "keepalives_interval": probe,
            "keepalives_count": 3,
            "tcp_user_timeout": self.silence_s * 1000,
        }
        merged: dict[str, Any] = {**ours, **given, "options": f"{flags} {given.get('options') or ''}".strip()}
        return conninfo.make_conninfo("", **merged)


class Connection:
    """Autocommit; one libpq connection for each thread that calls, opened when first used and again after every loss.

    The node's lanes are threads, so a lane that waits for a lock never holds up another, and all its stores may share
    one ``Connection``. psycopg is used directly: a layer between would only hide the state of the transaction.
    """

    def __init__(self, options: ConnectionOptions) -> None:
        self.options = options
        self._own = local()
        self._lock = Lock()
        self._opened: set[Raw] = set()
        self._pause = Event()

    def run(self, work: Callable[[Raw], T]) -> T:
        """Give ``work`` the thread's connection and return its answer. ``work`` is repeated when PostgreSQL rolled it
        back for a deadlock, a serialization failure or a change of the schema, so it must be one transaction, or
        idempotent.

        Raises StoreUnavailable (whether a write happened is unknown) and StoreTimeout (it did not), SchemaMismatch and
        Refused where the database or the user is not the right one; what psycopg says of the values given goes through.
        Nothing stays open after an error.
        """
        for tries_left in range(_RETRIES, -1, -1):
            try:
                return work(self._raw())
            except psycopg.Error as error:
                self._recover()
                overtaken = is_overtaken(error)
                if not overtaken and not isinstance(error, RETRIED):
                    if isinstance(error, psycopg.InternalError):
                        # read-only, it may be the old server after a failover: where the address leads to another by
                        # now, so does a new connection
                        self._drop()
                    ours = _in_our_words(error)
                    if ours is None:
                        raise
                    raise ours from error
                if tries_left == 0:
                    raise StoreTimeout(_told(error)) from error
                if overtaken:
                    self._drop()
            except OSError as error:
                # this machine's trouble, such as no file descriptors to wait with
                self._recover()
                raise StoreUnavailable(f"PostgreSQL: {error}") from error
            except BaseException:
                self._recover()
                raise
            self._pause.wait(random.uniform(0, _RETRY_PAUSE_S))
        raise AssertionError("unreachable: the last try returns or raises")

    def fetch(self, query: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
        """One autocommitted statement; its rows."""
        return self.run(lambda raw: raw.execute(query, parameters).fetchall())

    def rows(self, query: str, parameters: Parameters = ()) -> list[dict[str, Any]]:
        """The same, rows as dictionaries keyed by column name."""

        def ask(raw: Raw) -> list[dict[str, Any]]:
            with raw.cursor(row_factory=dict_row) as cursor:
                return cursor.execute(query, parameters).fetchall()

        return self.run(ask)

    def execute(self, query: str, parameters: Parameters = ()) -> int:
        """One autocommitted statement; how many rows it touched."""
        return self.run(lambda raw: raw.execute(query, parameters).rowcount)

    def close(self) -> None:
        """Close those of all threads; a thread that calls afterwards opens its own again."""
        with self._lock:
            opened, self._opened = self._opened, set()
        for raw in opened:
            with suppress(psycopg.Error):
                raw.close()

    def _raw(self) -> Raw:
        raw: Raw | None = getattr(self._own, "raw", None)
        if raw is None or raw.closed:
            self._drop()
            raw = PatientConnection.connect(self.options.conninfo(), autocommit=True)
            raw.patience_s = self.options.silence_s
            # the URL may have set another time-out than ours
            ((limit_s,),) = raw.execute(_STATEMENT_TIMEOUT)
            raw.patience_s = limit_s + self.options.silence_s if limit_s else inf
            raw.prepare_threshold = 2
            set_json_loads(loads, raw)
            self._own.raw = raw
            with self._lock:
                self._opened.add(raw)
        return raw

    def _recover(self) -> None:
        """Leave the thread's connection idle, or none."""
        raw: Raw | None = getattr(self._own, "raw", None)
        if raw is None:
            return
        try:
            status = raw.info.transaction_status
            if status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
                raw.rollback()
            elif status is not TransactionStatus.IDLE:
                self._drop()
        except (psycopg.Error, OSError):
            self._drop()

    def _drop(self) -> None:
        raw: Raw | None = getattr(self._own, "raw", None)
        if raw is None:
            return
        self._own.raw = None
        with self._lock:
            self._opened.discard(raw)
        with suppress(psycopg.Error):
            raw.close()


def _in_our_words(error: psycopg.Error) -> ShardkeeperError | None:
    """What the error means for whoever calls; None: it comes of the values given, or is a defect."""
    if isinstance(error, TIMED_OUT):
        return StoreTimeout(_told(error))
    if isinstance(error, psycopg.InternalError):
        # read-only, damaged data, a transaction that was ended: the server's trouble, never the call's
        return StoreUnavailable(_told(error))
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        # program limits (54) are operational to psycopg, but come of the values
        return None if is_refusal(error) else StoreUnavailable(_told(error))
    return misfit(error) if isinstance(error, psycopg.ProgrammingError) else None


def _told(error: psycopg.Error) -> str:
    return f"PostgreSQL: {' '.join(str(error).split())[:500]}"
