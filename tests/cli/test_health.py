"""doctor and config."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from shardkeeper.domain.errors import Refused, SchemaOlder, StoreUnavailable, Unreachable
from shardkeeper.ports.coordinator import Snapshot
from tests.cli.conftest import Desk, refusing
from tests.contract.story import A, B


def states(desk: Desk, exit_code: int = 0) -> dict[str, str]:
    row = desk.json("doctor", exit_code=exit_code)
    assert row["ok"] is (exit_code == 0)
    return {check["name"]: check["state"] for check in row["checks"]}


def test_a_healthy_cluster_has_nothing_to_mend(desk: Desk) -> None:
    assert set(states(desk).values()) == {"ok"}
    assert desk.run("doctor").exit_code == 0


def test_a_schema_that_does_not_fit_fails_and_names_the_command(desk: Desk) -> None:
    desk.change(schema=refusing(SchemaOlder()))
    assert states(desk, 1)["schema"] == "failed"
    assert "shardkeeper db upgrade" in desk.run("doctor").stdout


def test_a_user_without_rights_is_told_as_such(desk: Desk) -> None:
    desk.change(schema=refusing(Refused("PostgreSQL: permission denied for schema shardkeeper")))
    assert states(desk, 1)["schema"] == "failed"


def test_postgresql_that_is_away_is_exit_code_69(desk: Desk) -> None:
    desk.change(schema=refusing(StoreUnavailable("PostgreSQL: connection refused")))
    assert states(desk, 69)["postgresql"] == "failed"


def test_zookeeper_that_is_away_is_exit_code_69_with_everything_else_looked_at(desk: Desk) -> None:
    desk.snapshot = None
    found = states(desk, 69)
    assert (found["zookeeper"], found["schema"], found["leases"]) == ("failed", "ok", "ok")


def test_a_listener_that_hears_nothing_fails(desk: Desk) -> None:
    desk.change(listen=lambda: "is there a transaction pooler?")
    assert states(desk, 1)["listen"] == "failed"
    assert "transaction pooler" in desk.run("doctor").stdout


@pytest.mark.parametrize(("off_s", "state", "code"), [(-1.0, "warning", 0), (3.0, "failed", 1)])
def test_a_clock_that_is_off_is_told(desk: Desk, off_s: float, state: str, code: int) -> None:
    world = desk.story.world
    desk.change(now=lambda: world.now() + timedelta(seconds=off_s))
    assert states(desk, code)["clock"] == state


def test_a_zookeeper_that_takes_its_time_to_be_away_does_not_look_like_a_clock_that_is_off(
    desk: Desk,
) -> None:
    world = desk.story.world

    def slow() -> Snapshot:
        world.pass_time(3)
        raise Unreachable("ZooKeeper did not answer within 3 s")

    desk.observe = slow
    assert states(desk, 69)["clock"] == "ok"


def test_a_lease_that_stands_still_is_told(desk: Desk) -> None:
    desk.story.world.pass_time(10)
    desk.story.beat(A)
    assert states(desk)["leases"] == "warning"
    assert "node-b has not beaten for 10 s" in desk.run("doctor").stdout
    desk.story.beat(B)
    assert states(desk)["leases"] == "ok"


def test_a_watermark_that_nobody_raises_is_told(desk: Desk) -> None:
    desk.story.world.pass_time(200)
    assert states(desk)["watermark"] == "warning"


def test_an_attempt_that_nobody_claims_is_told(desk: Desk) -> None:
    desk.story.job()
    desk.story.world.operator.trigger("job", {}, None, None, "ada")
    assert states(desk)["pending attempts"] == "ok"
    desk.story.world.pass_time(60)
    assert states(desk)["pending attempts"] == "warning"


def test_another_session_timeout_than_asked_for_is_told(desk: Desk) -> None:
    assert desk.snapshot is not None
    desk.snapshot = replace(desk.snapshot, session_timeout_s=4.0)
    assert states(desk)["session timeout"] == "warning"
    assert "4 s, where 6 s was asked for" in desk.run("doctor").stdout


def test_what_should_not_lie_in_zookeeper_is_told(desk: Desk) -> None:
    assert desk.snapshot is not None
    desk.snapshot = replace(desk.snapshot, problems=("nodes/'x' belongs to no session",))
    assert states(desk)["zookeeper tree"] == "warning"


def test_open_doors_empty_modules_and_no_slack_are_told_with_their_settings(desk: Desk) -> None:
    desk.change(allowed_modules=(), slack=None, open_doors=("anybody may change it: set zookeeper.auth",))
    found = states(desk)
    assert {found[name] for name in ("allowed modules", "slack", "zookeeper access")} == {"warning"}
    said = desk.run("doctor").stdout
    for setting in ("tasks.allowed_modules", "slack.token", "zookeeper.auth"):
        assert setting in said


def test_the_settings_are_shown_nested_ones_with_dots(desk: Desk) -> None:
    desk.settings = {
        "database_url": "**********",
        "node": {"weight": 1.0, "labels": {"zone": "a"}},
        "retention": 2592000.0,
    }
    assert desk.json("config") == desk.settings
    said = desk.run("config").stdout
    assert [line.split() for line in said.splitlines()] == [
        ["database_url", "**********"],
        ["node.weight", "1"],
        ["node.labels", "zone=a"],
        ["retention", "2592000"],
    ]
