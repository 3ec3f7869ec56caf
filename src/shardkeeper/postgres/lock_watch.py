"""Who holds the locks that a session waits for: asked over a second connection while it waits, because the error that
ends the waiting does not say."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any, Final, Self

import psycopg

_EVERY_S: Final = 0.1
_MOST_TOLD: Final = 3
# of other users' sessions only the name, unless the user may read all statistics
_BLOCKERS: Final = """
SELECT a.pid, coalesce(nullif(a.application_name, ''), a.usename, a.backend_type),
       extract(epoch FROM clock_timestamp() - a.xact_start)::float8, a.state
FROM pg_catalog.pg_stat_activity a WHERE a.pid = ANY (pg_catalog.pg_blocking_pids(%s)) ORDER BY a.xact_start, a.pid
"""


class LockWatch:
    """Watches the session with the backend ``pid``. For its context; ends with it."""

    def __init__(self, conninfo: str, pid: int) -> None:
        self._conninfo = conninfo
        self._pid = pid
        self._blockers: tuple[str, ...] = ()
        self._seen = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="lock-watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def blockers(self) -> str:
        """Whom it waited for when it was last seen waiting, for people; "others" where nobody was seen."""
        if not self._blockers:
            return "others"
        told = self._blockers[:_MOST_TOLD]
        left = len(self._blockers) - len(told)
        return ", ".join(told) + (f" and {left} more" if left else "")

    @property
    def waited_s(self) -> float:
        """For how long, in all, it was seen waiting."""
        return self._seen * _EVERY_S

    def _serve(self) -> None:
        # who cannot be asked is not named; the upgrade itself goes on
        with suppress(psycopg.Error), psycopg.connect(self._conninfo, autocommit=True) as connection:
            while not self._over.wait(_EVERY_S):
                found = connection.execute(_BLOCKERS, (self._pid,)).fetchall()
                if found:
                    self._blockers = tuple(map(_named, found))
                    self._seen += 1


def _named(row: tuple[Any, ...]) -> str:
    pid, name, since_s, state = row
    parts = [f"pid {pid}"]
    if since_s is not None:
        parts.append(f"in a transaction for {since_s:.1f} s")
    if state is not None and state.startswith("idle"):
        parts.append("idle")
    return f"{name} ({', '.join(parts)})"
