"""Every alert arrives: a row for each run that FAILED and each MISSED record, and each in a message of Slack's."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from bench.faults.history import Alert, History
from bench.faults.violation import Violation

PROMISE = "alerts"
TELLS_OF = {"FAILED": "failed", "MISSED": "missed"}
FALSE_ALARMS = ("declined", "invalid", "unfit")
"""Every node can run every task here, and what workers die of is a task's doing, or seldom."""
MESSAGE = re.compile(r"[0-9]+\.(?P<number>[0-9]{6})")
"""The fake Slack numbers what it receives (src/shardkeeper/devservers/fake_slack.py)."""
DIGEST = re.compile(r"\[[^]]*\] (?P<count>[0-9]+) alerts?: ")


def check(history: History) -> Iterator[Violation]:
    """Rows against runs, then rows against messages."""
    wanted = {(TELLS_OF[run.status], run.id) for run in history.runs.values() if run.status in TELLS_OF}
    told = Counter(
        (alert.kind, alert.run) for alert in history.alerts if alert.kind in TELLS_OF.values() and alert.run
    )
    for kind, run in sorted(wanted - told.keys()):
        yield Violation(PROMISE, f"has no alert that it is {kind}", run)
    for (kind, run), times in sorted(told.items()):
        if (kind, run) not in wanted:
            yield Violation(PROMISE, f"has an alert that it is {kind}, and is not", run)
        if times > 1:
            yield Violation(PROMISE, f"has {times} alerts that it is {kind}", run)
    by_message: dict[str | None, list[Alert]] = {}
    for alert in history.alerts:
        if alert.kind in FALSE_ALARMS:
            yield Violation(PROMISE, f"{alert.event_key} ({alert.kind}) is of nothing that is so", alert.run)
        if alert.sent_at is None or alert.gave_up:
            yield Violation(PROMISE, f"{alert.event_key} was not delivered: {alert.problem}", alert.run)
        else:
            by_message.setdefault(alert.message_id, []).append(alert)
    for message, alerts in by_message.items():
        if problem := _problem(history.messages, message, alerts):
            yield Violation(
                PROMISE, f"{', '.join(one.event_key for one in alerts[:3])}: {problem}", alerts[0].run
            )


def _problem(messages: Sequence[str], message_id: str | None, alerts: Sequence[Alert]) -> str | None:
    """What is wrong with the message in which these alerts are said to have been sent."""
    found = MESSAGE.fullmatch(message_id or "")
    number = int(found["number"]) if found else 0
    if not 1 <= number <= len(messages):
        return f"sent as message {message_id}, of which Slack knows nothing"
    text = messages[number - 1]
    digest = DIGEST.match(text)
    # what could not be marked as sent is sent again, in another message: a digest may count more
    if digest and int(digest["count"]) < len(alerts):
        return f"{len(alerts)} alerts are sent as {text!r}"
    if not digest and (len(alerts) > 1 or (alerts[0].job or "") not in text):
        return f"sent as {text!r}"
    return None
