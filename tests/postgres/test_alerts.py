"""The outbox: two nodes never hold the same alert at once, whoever died gives it back after a minute."""

from __future__ import annotations

from shardkeeper.ports.leases import Registration
from shardkeeper.postgres.alerts import PostgresAlerts
from shardkeeper.postgres.leases import PostgresLeases
from tests.postgres.migrated import Migrated


def outbox(migrated: Migrated, *nodes: str) -> PostgresAlerts:
    connection = migrated.adapter()
    for node in nodes:
        PostgresLeases(connection).join(Registration(node, f"{node}-a", "host", 1, 1.0, {}, "0.1.0"))
    return PostgresAlerts(connection)


def test_an_alert_that_one_node_holds_is_not_given_to_another(migrated: Migrated) -> None:
    alerts = outbox(migrated, "n1", "n2")
    alerts.raise_alert("skew:n1", "skew", {"seconds": 3})
    assert [each.event_key for each in alerts.due_alerts("n1-a", 10)] == ["skew:n1"]
    migrated.sql.execute("DELETE FROM shardkeeper.duty")  # the duty has passed on meanwhile
    assert alerts.due_alerts("n2-a", 10) == []


def test_an_alert_whose_sender_died_is_due_again(migrated: Migrated) -> None:
    alerts = outbox(migrated, "n1")
    alerts.raise_alert("skew:n1", "skew", {})
    assert len(alerts.due_alerts("n1-a", 10)) == 1
    migrated.sql.execute("UPDATE shardkeeper.alert SET due_at = due_at - interval '1 min'")
    assert [each.event_key for each in alerts.due_alerts("n1-a", 10)] == ["skew:n1"]


def test_an_event_is_one_row_whoever_tells_of_it(migrated: Migrated) -> None:
    alerts = outbox(migrated)
    assert alerts.raise_alert("listener:n1", "listener", {"job_name": "job", "channel": "#x"})
    assert not alerts.raise_alert("listener:n1", "listener", {})
    row = migrated.sql.execute("SELECT job_name, channel FROM shardkeeper.alert").fetchall()
    assert row == [("job", "#x")]


def test_what_was_given_up_is_not_due_and_keeps_the_reason(migrated: Migrated) -> None:
    alerts = outbox(migrated, "n1")
    alerts.raise_alert("skew:n1", "skew", {})
    (alert,) = alerts.due_alerts("n1-a", 10)
    alerts.alerts_failed("n1-a", [alert.alert_id], None, "invalid_auth\0")
    migrated.sql.execute("UPDATE shardkeeper.alert SET due_at = now() - interval '1 h'")
    assert alerts.due_alerts("n1-a", 10) == []
    assert (
        migrated.one("SELECT problem FROM shardkeeper.alert WHERE gave_up_at IS NOT NULL")
        == "invalid_auth\\0"
    )
