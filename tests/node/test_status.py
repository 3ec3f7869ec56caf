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
    WorkersBack,
    WorkersLost,
)
from shardkeeper.node.board import Board
from shardkeeper.node.status import StatusLine


def line_after(*facts: object) -> str:
    """As it is composed: on the board, told of what it says it hears."""
    said: list[str] = ["nothing"]
    board = Board()
    board.subscribe(StatusLine(said.append), *StatusLine.heard)
    for fact in facts:
        board.tell(fact)
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
        WorkersLost("no memory"),
    )
    said = line_after(*away)
    for part in ("active", "PostgreSQL away: refused", "ZooKeeper away", "not listening: deaf", "no memory"):
        assert part in said
    back = (StoreFound(1.0), CoordinatorSeen("connected", ()), ListenerChanged(True, None), WorkersBack())
    assert line_after(*away, *back) == "active"
    assert line_after(CoordinatorSeen("connected", ("view: garbage",))).endswith("ZooKeeper: view: garbage")


def test_other_facts_leave_it_as_it_is() -> None:
    assert line_after(NodeLeft(0)) == "nothing"
