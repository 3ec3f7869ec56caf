"""One connection to PostgreSQL that comes back by itself, with every wait bounded."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from threading import Event, RLock
from typing import Any, Final, TypeAlias, TypeVar

import psycopg
from psycopg import conninfo
from psycopg.pq import TransactionStatus

from shardkeeper.postgres.errors import RETRIED, translated

T = TypeVar("T")
Raw: TypeAlias = psycopg.Connection[tuple[Any, ...]]

_RETRIES: Final = 8
_RETRY_PAUSE_S: Final = 0.01


@dataclass(frozen=True, slots=True)
class ConnectionOptions:
    """How to reach PostgreSQL, and how long to wait for what (seconds).

    ``lock_timeout_s`` must be less than ``statement_timeout_s``, so that a lock that is not to be had is told as such.
    ``silence_s``: a peer that answers nothing for so long counts as gone (TCP_USER_TIMEOUT and keepalives).
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
        given = conninfo.conninfo_to_dict(self.url)
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
        ours = {
            "application_name": self.application_name,
            "connect_timeout": self.connect_timeout_s,
            "keepalives": 1,
            "keepalives_idle": probe,
            "keepalives_interval": probe,
            "keepalives_count": 3,
            "tcp_user_timeout": self.silence_s * 1000,
        }
        merged = {**ours, **given, "options": f"{flags} {given.get('options') or ''}".strip()}
        return conninfo.make_conninfo("", **merged)


class Connection:
    """Autocommit; opened when first used and again after every loss. One caller at a time: others wait.

    The connection is only ever in a transaction inside ``run``; what a failed call left open is rolled back, or the
    connection thrown away.
    """

    def __init__(self, options: ConnectionOptions) -> None:
        self.options = options
        self._lock = RLock()
        self._raw: Raw | None = None
        self._pause = Event()

    def run(self, work: Callable[[Raw], T]) -> T:
        """Give ``work`` the open connection and return its answer. ``work`` is repeated when PostgreSQL rolled it back for
        a deadlock or a serialization failure, so it must be one transaction, or idempotent.

        Raises StoreUnavailable (whether a write happened is unknown), StoreTimeout (it did not), OrderRefused for
        values that cannot be stored, StoreMisused for anything else.
        """
        with self._lock:
            for tries_left in range(_RETRIES, -1, -1):
                try:
                    return work(self._opened())
                except psycopg.Error as error:
                    self._recover()
                    if not isinstance(error, RETRIED) or tries_left == 0:
                        raise translated(error) from error
                except BaseException:
                    self._recover()
                    raise
                self._pause.wait(random.uniform(0, _RETRY_PAUSE_S))
        raise AssertionError("unreachable: the last try returns or raises")

    def close(self) -> None:
        """Close it; the next ``run`` opens it again."""
        with self._lock:
            self._drop()

    def _opened(self) -> Raw:
        if self._raw is None or self._raw.closed:
            self._raw = psycopg.connect(self.options.conninfo(), autocommit=True)
            self._raw.prepare_threshold = 2
        return self._raw

    def _recover(self) -> None:
        raw = self._raw
        if raw is None:
            return
        if raw.closed or raw.broken or raw.info.transaction_status is TransactionStatus.ACTIVE:
            self._drop()
        elif raw.info.transaction_status is not TransactionStatus.IDLE:
            try:
                raw.rollback()
            except psycopg.Error:
                self._drop()

    def _drop(self) -> None:
        raw, self._raw = self._raw, None
        if raw is not None:
            with suppress(psycopg.Error):
                raw.close()
