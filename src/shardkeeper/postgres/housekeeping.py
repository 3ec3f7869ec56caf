"""The HousekeepingStore: partitions, retention, lateness. Each step is a call of its own, so that no lock is held long.

A step that cannot have its lock at once is left for the next pass: nothing here is urgent, partitions are made a week
ahead, and a waiting exclusive lock would hold up everybody behind it.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from shardkeeper.ports.duties import HOUSEKEEPING, Housekeeping
from shardkeeper.postgres.connection import Connection, Raw, StoreTimeout

DAYS_AHEAD: Final = 7
DUTY_FOR: Final = timedelta(minutes=2)
MOST_ROWS: Final = 10_000
MOST_BATCHES: Final = 50
_LOCK_MS: Final = 500

log = logging.getLogger(__name__)


class PostgresHousekeeping:
    """See ``ports.duties.HousekeepingStore``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def keep_house(self, incarnation: str, retention_s: float) -> Housekeeping | None:
        ((held, now),) = self._connection.fetch(
            "SELECT shardkeeper.hold_duty(%s, %s, %s), clock_timestamp()",
            (HOUSEKEEPING, incarnation, DUTY_FOR),
        )
        if not held:
            return None
        before = now - timedelta(seconds=retention_s)
        self._connection.fetch("SELECT shardkeeper.tell_lateness()")
        self._connection.fetch("SELECT shardkeeper.close_orphans()::text")
        made, moved = self._make_days(before, now)
        ((since,),) = self._connection.fetch("SELECT shardkeeper.kept_since(%s)", (before,))
        dropped = self._drop_days(since)
        return Housekeeping(made, dropped, moved, self._forget_by_job(before) + self._forget(before))

    def _make_days(self, before: datetime, now: datetime) -> tuple[int, int]:
        """The days ahead, and those of which DEFAULT holds rows that retention leaves alone."""
        today = now.astimezone(UTC).date()
        days = {today + timedelta(days=ahead) for ahead in range(DAYS_AHEAD + 1)}
        latest = now + timedelta(days=DAYS_AHEAD + 1)
        stray = self._connection.fetch(
            "SELECT * FROM shardkeeper.days_in_default(%s, %s)", (before + timedelta(days=1), latest)
        )
        made = moved = 0
        for day in sorted(days | {day for (day,) in stray}):
            answer = self._quickly("SELECT made, moved FROM shardkeeper.make_partitions(%s, %s)", (day, day))
            if answer is not None:
                made, moved = made + answer[0], moved + answer[1]
        return made, moved

    def _drop_days(self, before: datetime) -> int:
        dropped = 0
        for (day,) in self._connection.fetch("SELECT * FROM shardkeeper.days_before(%s)", (before,)):
            # asked without the lock first: a day with an open run stays for many passes
            ((closed,),) = self._connection.fetch("SELECT shardkeeper.day_is_closed(%s)", (day,))
            answer = self._quickly("SELECT shardkeeper.drop_day(%s)", (day,)) if closed else None
            dropped += 0 if answer is None else answer[0]
        return dropped

    def _forget_by_job(self, before: datetime) -> int:
        """Runs of jobs with a shorter retention: batch after batch while there is a whole one."""
        total = 0
        for _ in range(MOST_BATCHES):
            ((deleted,),) = self._connection.fetch(
                "SELECT shardkeeper.forget_by_job(%s, %s)", (before, MOST_ROWS)
            )
            total += int(deleted)
            if deleted < MOST_ROWS:
                break
        return total

    def _forget(self, before: datetime) -> int:
        ((deleted,),) = self._connection.fetch("SELECT shardkeeper.forget(%s, %s)", (before, MOST_ROWS))
        return int(deleted)

    def _quickly(self, query: str, parameters: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """The row of a call that wants exclusive locks; None when it would have had to wait for them."""

        def ask(raw: Raw) -> tuple[Any, ...] | None:
            with raw.transaction():
                raw.execute(f"SET LOCAL lock_timeout = {_LOCK_MS}")
                return raw.execute(query, parameters).fetchone()

        try:
            return self._connection.run(ask)
        except StoreTimeout as error:
            log.info("left for the next pass: %s", error)
            return None
