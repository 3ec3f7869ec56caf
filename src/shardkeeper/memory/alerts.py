"""The AlertStore of the store in memory: the outbox (rules 8 and 14)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from shardkeeper.memory.alerting import add_alert
from shardkeeper.memory.calls import Connection, store_call
from shardkeeper.memory.database import MemoryDatabase
from shardkeeper.memory.rows import Alert
from shardkeeper.ports.duties import OUTBOX, AlertRow

TAKEN_FOR = timedelta(minutes=1)


class MemoryAlerts(Connection):
    """See ``ports.duties.AlertStore``."""

    @store_call
    def due_alerts(self, incarnation: str, limit: int) -> list[AlertRow]:
        database, now = self.database, self.database.now()
        if not database.take_duty(OUTBOX, incarnation):
            return []
        due = [each for each in database.unsent.values() if each.due_at is not None and each.due_at <= now]
        taken = due[:limit]
        for alert in taken:
            alert.due_at = now + TAKEN_FOR
        return [_as_row(database, alert) for alert in taken]

    @store_call
    def alerts_sent(self, incarnation: str, alert_ids: Sequence[int], message_id: str | None) -> None:
        for alert_id in alert_ids:
            alert = self.database.unsent.pop(alert_id, None)
            if alert is not None:
                alert.due_at, alert.sent_at, alert.message_id = None, self.database.now(), message_id

    @store_call
    def alerts_failed(
        self, incarnation: str, alert_ids: Sequence[int], retry_after_s: float | None, reason: str
    ) -> None:
        for alert_id in alert_ids:
            alert = self.database.unsent.get(alert_id)
            if alert is not None:
                alert.tries += 1
                alert.reason = reason
                wait = None if retry_after_s is None else timedelta(seconds=retry_after_s)
                alert.due_at = None if wait is None else self.database.now() + wait

    @store_call
    def raise_alert(self, event_key: str, kind: str, body: Mapping[str, Any]) -> bool:
        job_name, channel = body.get("job_name"), body.get("channel")
        added = add_alert(self.database, event_key, kind, body, job_name=job_name, channel=channel)
        return added is not None


def _as_row(database: MemoryDatabase, alert: Alert) -> AlertRow:
    answered = None if alert.answers is None else database.alerts.get(alert.answers)
    return AlertRow(
        alert.alert_id,
        alert.event_key,
        alert.kind,
        alert.job_name,
        alert.channel,
        alert.body,
        alert.created_at,
        alert.tries,
        None if answered is None else answered.message_id,
    )
