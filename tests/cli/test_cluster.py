"""shards, nodes, node, drain, undrain."""

from __future__ import annotations

from datetime import timedelta

from shardkeeper.domain.sharding import owners
from shardkeeper.domain.specs import Strategy
from shardkeeper.domain.view import Member
from shardkeeper.ports.coordinator import Session, Snapshot
from tests.cli.conftest import Desk
from tests.contract.story import A, B

SHARD = {"job_name", "item", "item_parameter", "owner", "strategy", "epoch", "state"}
NODE = {
    "node_id", "incarnation", "host", "pid", "leader", "state", "load", "weight", "labels", "applied_epoch", "running",
    "code_version",
}  # fmt: skip


def test_shards_have_the_owners_that_every_node_works_out(desk: Desk) -> None:
    desk.story.job("job", sharding_total_count=5, sharding_item_parameters={"0": "seoul"})
    rows = desk.json("shards", "job")
    members = [Member("node-a", A), Member("node-b", B)]
    assert tuple(row["owner"] for row in rows) == owners("job", 5, Strategy.BALANCED, members)
    assert set(rows[0]) == SHARD
    assert (rows[0]["item_parameter"], rows[1]["item_parameter"]) == ("seoul", None)
    assert {(row["strategy"], row["epoch"], row["state"]) for row in rows} == {("balanced", 5, "idle")}


def test_shards_tell_what_runs_and_what_waits(desk: Desk) -> None:
    desk.story.job("job", sharding_total_count=3)
    desk.story.create(claim_items=(0,))
    assert [row["state"] for row in desk.json("shards", "job")] == ["running", "pending", "pending"]


def test_shards_of_a_dead_or_draining_node_are_the_others(desk: Desk) -> None:
    desk.story.job("job", sharding_total_count=4)
    desk.story.world.leases.drain(A)
    assert {row["owner"] for row in desk.json("shards")} == {"node-b"}
    desk.story.world.leases.drain(A, False)
    desk.story.kill(B, taker=A)
    assert {row["owner"] for row in desk.json("shards")} == {"node-a"}


def test_a_shard_that_no_node_fits_has_no_owner(desk: Desk) -> None:
    desk.story.job("job", node_selector={"gpu": "yes"})
    assert [row["owner"] for row in desk.json("shards", "job")] == [None]
    assert "nobody fits" in desk.run("shards", "job").stdout


def test_jobs_on_demand_are_left_out_of_shards_and_said_to_be_when_named(desk: Desk) -> None:
    desk.story.job("demand", every=None)
    assert desk.json("shards") == []
    done = desk.run("shards", "demand")
    assert (done.exit_code, "runs on demand" in done.stderr) == (0, True)
    assert desk.run("shards", "nobody").exit_code == 1


def test_each_node_has_one_shard_of_a_job_for_each_node(desk: Desk) -> None:
    desk.story.job("probe", sharding_strategy="each_node", sharding_total_count=7)
    assert [row["owner"] for row in desk.json("shards", "probe")] == ["node-a", "node-b"]


def test_with_zookeeper_away_the_mirrored_view_is_used_and_said_to_be(desk: Desk) -> None:
    desk.story.job("job", sharding_total_count=4)
    desk.story.world.leases.mirror_view(desk.publish("node-a", "node-b", epoch=9))
    before = desk.json("shards", "job")
    desk.snapshot = None
    assert desk.json("shards", "job") == before
    said = desk.run("shards", "job").stderr
    assert "ZooKeeper at zk:2181 did not answer" in said
    assert "view 9" in said


def test_a_view_that_cannot_be_read_is_replaced_by_the_mirrored_one(desk: Desk) -> None:
    desk.story.job("job")
    desk.story.world.leases.mirror_view(desk.publish("node-b", epoch=9))
    desk.snapshot = Snapshot(
        Session.CONNECTED, 6.0, view_version=3, problems=("the view cannot be read: no JSON",)
    )
    assert [row["owner"] for row in desk.json("shards", "job")] == ["node-b"]
    assert "cannot be read" in desk.run("shards", "job").stderr


def test_before_any_node_joined_nobody_owns_anything(desk: Desk) -> None:
    desk.story.job("job")
    desk.snapshot = Snapshot(Session.CONNECTED, 6.0)
    (row,) = desk.json("shards", "job")
    assert (row["owner"], row["epoch"]) == (None, None)


def test_nodes_as_json_have_the_keys_of_the_contract(desk: Desk) -> None:
    desk.story.job("job", every=timedelta(seconds=10))
    desk.story.running()
    rows = desk.json("nodes")
    assert [set(row) for row in rows] == [NODE | {"beaten_at", "restarts"}] * 2
    first, second = rows
    assert (first["node_id"], first["leader"], first["state"], first["load"]) == (
        "node-a",
        True,
        "active",
        "idle",
    )
    assert (first["running"], first["applied_epoch"], second["leader"]) == (1, 5, False)


def test_a_draining_node_is_shown_as_such_and_a_dead_one_not_at_all(desk: Desk) -> None:
    desk.story.world.leases.drain(A)
    desk.story.kill(B, taker=A)
    desk.publish("node-a")
    assert [(row["node_id"], row["state"]) for row in desk.json("nodes")] == [("node-a", "draining")]


def test_with_zookeeper_away_nodes_are_those_with_a_lease(desk: Desk) -> None:
    desk.snapshot = None
    rows = desk.json("nodes")
    assert [(row["node_id"], row["state"], row["load"]) for row in rows] == [
        ("node-a", "active", None),
        ("node-b", "active", None),
    ]


def test_one_node_tells_its_lease_and_what_it_runs(desk: Desk) -> None:
    desk.story.job("job")
    held = desk.story.running()
    row = desk.json("node", "node-a")
    assert set(row) >= NODE
    assert [one["run_id"] for one in row["attempts"]] == [held.key.run_id]
    assert "job" in desk.run("node", "node-a").stdout


def test_a_dead_node_can_still_be_asked_for(desk: Desk) -> None:
    desk.story.kill(B, taker=A)
    desk.publish("node-a")
    row = desk.json("node", "node-b")
    assert (row["state"], row["lease"]) == ("dead", "dead")


def test_drain_and_workers_are_orders_that_the_node_reads(desk: Desk) -> None:
    assert desk.run("drain", "node-a").exit_code == 0
    assert desk.story.beat(A).drain_ordered
    assert desk.run("undrain", "node-a").exit_code == 0
    assert not desk.story.beat(A).drain_ordered
    assert desk.run("node", "node-a", "--workers", "3").exit_code == 0
    assert desk.story.beat(A).workers_ordered == 3


def test_orders_for_an_unknown_node_are_refused(desk: Desk) -> None:
    for order in (
        ("drain", "nobody"),
        ("undrain", "nobody"),
        ("node", "nobody", "--workers", "3"),
        ("node", "nobody"),
    ):
        done = desk.run(*order)
        assert (done.exit_code, "there is no node nobody" in done.stderr) == (1, True)
    assert desk.run("node", "node-a", "--workers", "0").exit_code == 2
