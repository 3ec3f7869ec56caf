"""The AlertStore: the outbox. Whoever holds the duty takes what is due for a minute; nothing is sent from here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from psycopg.types.json import Jsonb

from shardkeeper.ports.duties import OUTBOX, AlertRow
from shardkeeper.postgres.connection import Connection

TAKEN_FOR: Final = timedelta(minutes=1)
DUTY_FOR: Final = timedelta(seconds=30)

_HOLD: Final = "SELECT shardkeeper.hold_duty(%s, %s, %s)"
_TAKE: Final = """
WITH due AS (
    SELECT a.alert_id FROM shardkeeper.alert a
    WHERE a.sent_at IS NULL AND a.gave_up_at IS NULL AND a.due_at <= clock_timestamp()
    ORDER BY a.due_at, a.alert_id LIMIT %(limit)s FOR UPDATE SKIP LOCKED),
taken AS (
    UPDATE shardkeeper.alert a
    SET taken_by = %(incarnation)s, taken_until = clock_timestamp() + %(hold)s, due_at = clock_timestamp() + %(hold)s
    FROM due WHERE a.alert_id = due.alert_id
    RETURNING a.alert_id, a.event_key, a.kind, a.job_name, a.channel, a.body, a.created_at, a.tries, a.thread)
SELECT * FROM taken ORDER BY alert_id
"""
_SENT: Final = """
UPDATE shardkeeper.alert
SET sent_at = clock_timestamp(), message_id = %s, taken_by = NULL, taken_until = NULL, problem = NULL
WHERE alert_id = ANY (%s) AND sent_at IS NULL
"""
_FAILED: Final = """
UPDATE shardkeeper.alert
SET tries = tries + 1, problem = %(reason)s, taken_by = NULL, taken_until = NULL,
    due_at = clock_timestamp() + coalesce(%(wait)s::interval, '0'),
    gave_up_at = CASE WHEN %(wait)s::interval IS NULL THEN clock_timestamp() END
WHERE alert_id = ANY (%(ids)s) AND sent_at IS NULL
"""
_RAISE: Final = """
INSERT INTO shardkeeper.alert (event_key, kind, job_name, channel, body) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (event_key) DO NOTHING
"""


class PostgresAlerts:
    """See ``ports.duties.AlertStore``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def due_alerts(self, incarnation: str, limit: int) -> list[AlertRow]:
        ((held,),) = self._connection.fetch(_HOLD, (OUTBOX, incarnation, DUTY_FOR))
        if not held:
            return []
        wanted = {"incarnation": incarnation, "limit": limit, "hold": TAKEN_FOR}
        return [AlertRow(*row) for row in self._connection.fetch(_TAKE, wanted)]

    def alerts_sent(self, incarnation: str, alert_ids: Sequence[int], message_id: str | None) -> None:
        self._connection.execute(_SENT, (message_id, list(alert_ids)))

    def alerts_failed(
        self, incarnation: str, alert_ids: Sequence[int], retry_after_s: float | None, reason: str
    ) -> None:
        wait = None if retry_after_s is None else timedelta(seconds=retry_after_s)
        values = {"ids": list(alert_ids), "wait": wait, "reason": reason.replace("\0", "\\0")[:2000]}
        self._connection.execute(_FAILED, values)

    def raise_alert(self, event_key: str, kind: str, body: Mapping[str, Any]) -> bool:
        job_name = body.get("job_name") or body.get("job")
        values = (event_key, kind, job_name, body.get("channel"), Jsonb(dict(body)))
        return self._connection.execute(_RAISE, values) == 1
