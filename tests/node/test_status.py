"""The status line says how the node stands and what is away."""

from __future__ import annotations

from shardkeeper.domain.facts import (
    CoordinatorSeen,
    Draining,
    FoundDead,
    Joined,
    JoinRefused,
    ListenerChanged,
    MembersChanged,
    NodeLeft,
    StoreFound,
    StoreLost,
)
from shardkeeper.node.status import StatusLine


def line_after(*facts: object) -> str:
    said: list[str] = ["nothing"]
    line = StatusLine(said.append)
    for fact in facts:
        line(fact)
    return said[-1]


def test_a_node_that_joined_tells_its_view() -> None:
    assert line_after(Joined("x"), MembersChanged(4, ("a", "b"))) == "active; view 4 of 2 nodes"


def test_each_standing_has_its_word() -> None:
    assert line_after(JoinRefused("x")).startswith("waiting for this node's earlier life")
    assert line_after(FoundDead("x", 2)).startswith("taken over by others")
    assert line_after(Joined("x"), Draining(leaving=True)) == "draining, then leaving"
    assert line_after(Joined("x"), Draining(leaving=False)) == "drained by order"


def test_troubles_are_told_until_they_are_over() -> None:
    away = (
        Joined("x"),
        StoreLost("refused"),
        CoordinatorSeen("suspended", ()),
        ListenerChanged(False, "deaf"),
    )
    said = line_after(*away)
    for part in ("active", "PostgreSQL away: refused", "ZooKeeper away", "not listening: deaf"):
        assert part in said
    back = (StoreFound(1.0), CoordinatorSeen("connected", ()), ListenerChanged(True, None))
    assert line_after(*away, *back) == "active"
    assert line_after(CoordinatorSeen("connected", ("view: garbage",))).endswith("ZooKeeper: view: garbage")


def test_other_facts_leave_it_as_it_is() -> None:
    assert line_after(NodeLeft(0)) == "nothing"
