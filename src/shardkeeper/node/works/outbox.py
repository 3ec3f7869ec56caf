"""The outbox: alerts become messages, one each, or one digest when they come in crowds (rule 14)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from shardkeeper.domain.facts import AlertsHeldUp, AlertsSent
from shardkeeper.domain.notices import digest_of, notice_of
from shardkeeper.node.duties import Round
from shardkeeper.node.lanes import Done
from shardkeeper.ports.duties import AlertRow, AlertStore
from shardkeeper.ports.notifier import Notice, Notifier, Posted

SINGLE_PER_MINUTE = 10
"""Messages of their own in a minute; what comes beyond goes into digests with exact counts."""
LIMIT = 10_000


class OutboxWork:
    """``monotonic``: seconds; ``tell``: facts for log and metrics."""

    most = 100

    def __init__(
        self,
        store: AlertStore,
        notifier: Notifier,
        environment: str,
        monotonic: Callable[[], float],
        tell: Callable[[object], None],
    ) -> None:
        self._store = store
        self._notifier = notifier
        self._environment = environment
        self._monotonic = monotonic
        self._tell = tell
        self._posted: deque[float] = deque()

    def run(self, actions: Sequence[Round]) -> Done[Round]:
        """See Work. A service that refuses holds up the round: the alerts stay, and are due again when it says.

        What was posted and could not be marked is posted again: at least once.
        """
        incarnation = actions[-1].incarnation
        due = self._store.due_alerts(incarnation, LIMIT)
        single = max(0, SINGLE_PER_MINUTE - self._in_last_minute())
        if len(due) <= single:
            self._send_singly(incarnation, due)
        else:
            self._send_digests(incarnation, due)
        return Done()

    def _send_singly(self, incarnation: str, due: Sequence[AlertRow]) -> None:
        for position, alert in enumerate(due):
            notice = notice_of(alert.kind, alert.body, self._environment, alert.channel, alert.thread)
            if not self._send(incarnation, [alert], notice):
                self._put_off(incarnation, due[position + 1 :])
                return

    def _send_digests(self, incarnation: str, due: Sequence[AlertRow]) -> None:
        channels = dict.fromkeys(alert.channel for alert in due)
        for channel in channels:
            alerts = [alert for alert in due if alert.channel == channel]
            notice = digest_of([(alert.kind, alert.body) for alert in alerts], self._environment, channel)
            self._send(incarnation, alerts, notice)

    def _send(self, incarnation: str, alerts: Sequence[AlertRow], notice: Notice) -> bool:
        ids = [alert.alert_id for alert in alerts]
        posted = self._notifier.post(notice)
        if posted.ok:
            self._posted.append(self._monotonic())
            self._store.alerts_sent(incarnation, ids, posted.message_id)
            self._tell(AlertsSent(len(ids)))
            return True
        self._store.alerts_failed(incarnation, ids, _wait_s(posted, alerts), posted.reason or "not said")
        self._tell(AlertsHeldUp(len(ids), posted.reason or "not said", posted.retry_after_s))
        return False

    def _put_off(self, incarnation: str, rest: Sequence[AlertRow]) -> None:
        """They were taken with the one that was refused, and would be refused alike: try them a little later."""
        if rest:
            self._store.alerts_failed(
                incarnation, [alert.alert_id for alert in rest], 1.0, "waiting behind another"
            )

    def _in_last_minute(self) -> int:
        horizon = self._monotonic() - 60.0
        while self._posted and self._posted[0] < horizon:
            self._posted.popleft()
        return len(self._posted)


def _wait_s(posted: Posted, alerts: Sequence[AlertRow]) -> float | None:
    """What the service said, and at least a wait that doubles with each failure, up to five minutes."""
    if posted.retry_after_s is None:
        return None
    doubled = min(300.0, 2.0 ** min(10, max(alert.tries for alert in alerts)))
    return float(max(posted.retry_after_s, doubled))
