"""When the leader publishes which view, and which views are accepted."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from math import nan

from hypothesis import given
from hypothesis import strategies as st

from shardkeeper.domain.leadership import (
    Decision,
    Facts,
    Keep,
    NotLeader,
    Publish,
    SeenNode,
    Wait,
    accepts,
    decide,
)
from shardkeeper.domain.view import Member, View

AT = datetime(2026, 11, 21, 3, tzinfo=UTC)
ALPHA, BETA = SeenNode("alpha", "a1", 2.0, {"zone": "x"}), SeenNode("beta", "b1")
BOTH = (Member("alpha", "a1", 2.0, {"zone": "x"}), Member("beta", "b1"))
STORED = View("L", 7, "a1", BOTH, AT)
SETTLED = Facts(
    leading=True,
    incarnation="a1",
    has_published=True,
    nodes=(BETA, ALPHA),
    stored=STORED,
    last_seen=STORED,
    without_view_s=0.0,
    session_timeout_s=6.0,
)
NOTHING_STORED = replace(SETTLED, stored=None, has_published=False)


def decided(facts: Facts) -> Decision:
    return decide(facts, "NEW", AT)


def published(facts: Facts) -> View:
    decision = decided(facts)
    assert isinstance(decision, Publish)
    return decision.view


def test_who_does_not_lead_does_nothing() -> None:
    assert decided(replace(SETTLED, leading=False, nodes=())) == NotLeader()


def test_a_leader_keeps_its_view_while_the_members_stay_the_same() -> None:
    assert decided(SETTLED) == Keep()


def test_load_and_applied_epochs_do_not_change_the_view() -> None:
    assert decided(replace(SETTLED, nodes=(replace(ALPHA, applied_epoch=7), BETA))) == Keep()


def test_a_new_leader_first_republishes_though_nothing_has_changed() -> None:
    assert published(replace(SETTLED, has_published=False)) == View("L", 8, "a1", BOTH, AT)


def test_a_leader_republishes_over_a_view_that_somebody_else_has_published() -> None:
    assert published(replace(SETTLED, stored=replace(STORED, published_by="b1"))).epoch == 8


def test_each_change_of_a_member_is_published() -> None:
    changed = [
        replace(ALPHA, incarnation="a2"),
        replace(ALPHA, weight=3.0),
        replace(ALPHA, labels={"zone": "y"}),
        replace(ALPHA, node_id="aleph"),
    ]
    for node in changed:
        assert published(replace(SETTLED, nodes=(node, BETA))).members != BOTH
    assert published(replace(SETTLED, nodes=(ALPHA,))).members == BOTH[:1]


def test_a_node_that_takes_no_work_or_has_no_usable_weight_is_left_out() -> None:
    assert published(replace(SETTLED, nodes=(ALPHA, replace(BETA, takes_work=False)))).members == BOTH[:1]
    assert published(replace(SETTLED, nodes=(ALPHA, replace(BETA, weight=nan)))).members == BOTH[:1]


def test_while_no_node_takes_work_the_last_members_stay() -> None:
    idle = (replace(ALPHA, takes_work=False), replace(BETA, takes_work=False))
    assert decided(replace(SETTLED, nodes=idle)) == Keep()
    assert published(replace(SETTLED, nodes=idle, has_published=False)).members == BOTH


def test_a_leader_without_a_view_waits_one_session_timeout_and_then_begins_a_lineage() -> None:
    assert decided(NOTHING_STORED) == Wait(6.0)
    assert decided(replace(NOTHING_STORED, without_view_s=4.0)) == Wait(2.0)
    assert published(replace(NOTHING_STORED, without_view_s=6.0)) == View("NEW", 1, "a1", BOTH, AT)


def test_no_lineage_begins_without_members() -> None:
    assert decided(replace(NOTHING_STORED, nodes=(), without_view_s=60.0)) == Wait(None)


def test_a_view_restored_from_a_backup_is_overtaken_by_more_than_one_epoch() -> None:
    old = replace(STORED, epoch=3)
    assert published(replace(SETTLED, stored=old, has_published=False)).epoch == 8
    ahead = (replace(ALPHA, applied_epoch=11), BETA)
    assert published(replace(SETTLED, nodes=ahead, has_published=False)).epoch == 12


def test_epochs_of_another_lineage_do_not_count() -> None:
    other = View("OTHER", 50, "b1", BOTH, AT)
    assert published(replace(SETTLED, last_seen=other, has_published=False)).epoch == 8


def test_a_higher_epoch_of_the_same_lineage_is_accepted_and_no_other() -> None:
    assert accepts(None, STORED)
    assert accepts(STORED, replace(STORED, epoch=8))
    assert not accepts(STORED, STORED)
    assert not accepts(STORED, replace(STORED, epoch=6))


def test_a_view_of_another_lineage_is_always_accepted() -> None:
    assert accepts(STORED, View("OTHER", 1, "b1", BOTH, AT))


seen_nodes = st.builds(
    SeenNode,
    node_id=st.sampled_from("abcd"),
    incarnation=st.sampled_from("12"),
    weight=st.sampled_from([1.0, 2.0, 0.0]),
    takes_work=st.booleans(),
    applied_epoch=st.integers(0, 9),
)
views = st.builds(
    View,
    lineage=st.sampled_from("LM"),
    epoch=st.integers(1, 9),
    published_by=st.sampled_from(["me", "other"]),
    members=st.just(BOTH),
    published_at=st.just(AT),
)
all_facts = st.builds(
    Facts,
    leading=st.booleans(),
    incarnation=st.just("me"),
    has_published=st.booleans(),
    nodes=st.lists(seen_nodes, unique_by=lambda node: node.node_id, max_size=4).map(tuple),
    stored=st.none() | views,
    last_seen=st.none() | views,
    without_view_s=st.floats(0, 20),
    session_timeout_s=st.just(6.0),
)


@given(all_facts)
def test_whatever_is_published_has_members_and_is_accepted_by_everybody(facts: Facts) -> None:
    decision = decided(facts)
    if not isinstance(decision, Publish):
        return
    view = decision.view
    assert facts.leading
    assert view.members
    assert view.published_by == "me"
    assert list(view.members) == sorted(view.members, key=lambda member: member.node_id)
    assert view.epoch > max([0, *(node.applied_epoch for node in facts.nodes)])
    assert all(accepts(known, view) for known in (facts.stored, facts.last_seen))
    if facts.stored is not None:
        assert view.lineage == facts.stored.lineage


@given(all_facts)
def test_once_published_a_view_is_kept_until_something_changes(facts: Facts) -> None:
    decision = decided(facts)
    if isinstance(decision, Publish):
        after = replace(
            facts, stored=decision.view, last_seen=decision.view, has_published=True, without_view_s=0.0
        )
        assert decided(after) == Keep()
