"""Which steps lead from what is in the tree to what should be; no server needed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shardkeeper.ports.coordinator import Load, NodeInfo, NodeState
from shardkeeper.zookeeper.codec import encode_node
from shardkeeper.zookeeper.membership import (
    Register,
    Rewrite,
    Stand,
    StandDown,
    Unregister,
    Wanted,
    held_by_another,
    row_of_candidates,
    steps,
)
from shardkeeper.zookeeper.reading import CandidateZnode, NodeZnode, Paths, Reading

OURS, EARLIER, FOREIGN, NOBODY = 11, 10, 77, 0
ME = NodeInfo("a", "a-2", labels={"zone": "x"})
WANTED = Wanted("a", ME)


def znode(owner: int, info: NodeInfo | None = ME, version: int = 3) -> NodeZnode:
    return NodeZnode(owner, version, encode_node(info) if info else b"?", info)


def standing(owner: int = OURS, incarnation: str = "a-2", node_id: str = "a") -> CandidateZnode:
    return CandidateZnode(owner, node_id, incarnation)


def test_nothing_is_to_be_done_when_all_is_as_it_should_be() -> None:
    assert steps(WANTED, OURS, znode(OURS), {"0000000001": standing()}) == []


def test_a_node_registers_first_and_stands_when_that_has_been_read_back() -> None:
    assert steps(WANTED, OURS, None, {}) == [Register()]
    assert steps(WANTED, OURS, znode(OURS), {}) == [Stand()]


@pytest.mark.parametrize("left_by", [znode(FOREIGN, replace(ME, incarnation="a-1")), znode(FOREIGN, None)])
def test_an_earlier_lifes_znode_is_neither_adopted_nor_touched(left_by: NodeZnode) -> None:
    assert steps(WANTED, OURS, left_by, {}) == []
    assert held_by_another(WANTED, OURS, left_by)


@pytest.mark.parametrize("left_by", [znode(EARLIER, ME), znode(NOBODY, ME), znode(NOBODY, None)])
def test_what_our_own_earlier_session_or_nobody_holds_is_removed_at_the_version_read(
    left_by: NodeZnode,
) -> None:
    assert steps(WANTED, OURS, left_by, {}) == [Unregister(3)]
    assert not held_by_another(WANTED, OURS, left_by)


def test_a_znode_of_our_session_that_says_something_else_is_rewritten_at_the_version_read() -> None:
    candidates = {"0000000001": standing()}
    assert steps(WANTED, OURS, znode(OURS, replace(ME, load=Load.BUSY)), candidates) == [
        Rewrite(3, load_only=True)
    ]
    for other in (replace(ME, state=NodeState.UNFIT, load=Load.BUSY), replace(ME, incarnation="a-1"), None):
        assert steps(WANTED, OURS, znode(OURS, other), candidates) == [Rewrite(3, load_only=False)]


def test_a_create_that_was_done_twice_leaves_the_first_candidate() -> None:
    twice = {"0000000009": standing(), "0000000004": standing()}
    assert steps(WANTED, OURS, znode(OURS), twice) == [StandDown("0000000009")]


def test_candidates_of_another_incarnation_of_ours_or_of_an_earlier_session_are_withdrawn() -> None:
    candidates = {
        "0000000001": standing(incarnation="a-1"),
        "0000000002": standing(EARLIER),
        "0000000003": CandidateZnode(OURS),
        "0000000004": standing(FOREIGN, "b-1", "b"),
        "0000000005": standing(FOREIGN, "a-1"),
        "0000000006": standing(),
    }
    withdrawn = {
        step.name for step in steps(WANTED, OURS, znode(OURS), candidates) if isinstance(step, StandDown)
    }
    assert withdrawn == {"0000000001", "0000000002", "0000000003"}


def test_whoever_left_takes_back_what_its_session_holds_and_nothing_else() -> None:
    left = Wanted("a", None)
    candidates = {"0000000001": standing(), "0000000002": standing(FOREIGN, "b-1", "b")}
    assert steps(left, OURS, znode(OURS), candidates) == [StandDown("0000000001"), Unregister(3)]
    assert steps(left, OURS, znode(FOREIGN), {}) == []


def test_the_row_keeps_candidates_that_cannot_be_read_and_passes_over_those_of_nobody() -> None:
    reading = Reading(Paths("/x"))
    reading.candidates = {
        "0000000007": standing(),
        "0000000002": CandidateZnode(FOREIGN, problem="cannot be read"),
        "0000000001": CandidateZnode(NOBODY, problem="belongs to no session"),
    }
    row = row_of_candidates(reading, WANTED, OURS)
    assert [(candidate.seq, candidate.node_id, candidate.mine) for candidate in row] == [
        (2, "", False),
        (7, "a", True),
    ]
    assert not any(candidate.mine for candidate in row_of_candidates(reading, WANTED, None))
