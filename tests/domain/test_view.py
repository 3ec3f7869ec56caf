"""Effective members: the view, less what the lease table knows."""

from __future__ import annotations

from datetime import UTC, datetime
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardkeeper.domain.view import NOTHING_KNOWN, LeaseView, Member, View, effective_members, matches

AT = datetime(2026, 11, 21, 3, tzinfo=UTC)
NODES = ("alpha", "beta", "gamma", "delta")


def view_of(*members: Member) -> View:
    return View("lineage", 1, "leader", members, AT)


VIEW = view_of(Member("gamma", "g1"), Member("alpha", "a1"), Member("beta", "b1", 2.0, {"zone": "east"}))


def ids(members: tuple[Member, ...]) -> list[str]:
    return [member.node_id for member in members]


def test_without_a_view_there_are_no_members() -> None:
    assert effective_members(None, LeaseView(live={"alpha": "a1"})) == ()


def test_members_are_sorted_and_all_stay_while_nothing_is_known_of_leases() -> None:
    assert ids(effective_members(VIEW, NOTHING_KNOWN)) == ["alpha", "beta", "gamma"]


def test_a_dead_and_a_draining_node_are_taken_out() -> None:
    leases = LeaseView(live={"alpha": "a1"}, draining=frozenset({"beta"}), dead=frozenset({"gamma"}))
    assert ids(effective_members(VIEW, leases)) == ["alpha"]


def test_a_node_restarted_while_the_view_is_old_takes_part_under_its_new_incarnation() -> None:
    leases = LeaseView(live={"beta": "b2"}, dead=frozenset({"beta"}))
    kept = {member.node_id: member for member in effective_members(VIEW, leases)}
    assert kept["beta"] == Member("beta", "b2", 2.0, {"zone": "east"})


def test_a_node_whose_newest_life_died_is_out_though_the_view_names_an_older_one() -> None:
    old = view_of(Member("alpha", "a1"), Member("beta", "of which no lease is kept any more"))
    assert ids(effective_members(old, LeaseView(live={"alpha": "a1"}, dead=frozenset({"beta"})))) == ["alpha"]


def test_a_live_node_outside_the_view_never_takes_part() -> None:
    assert ids(effective_members(VIEW, LeaseView(live={"omega": "o1"}))) == ["alpha", "beta", "gamma"]


def test_a_selector_keeps_members_that_have_all_its_labels() -> None:
    assert ids(effective_members(VIEW, NOTHING_KNOWN, {"zone": "east"})) == ["beta"]
    assert ids(effective_members(VIEW, NOTHING_KNOWN, {"zone": "east", "disk": "fast"})) == []
    assert len(effective_members(VIEW, NOTHING_KNOWN, {})) == 3


def test_labels_match_by_equality_of_all_that_are_asked_for() -> None:
    assert matches({"a": "1", "b": "2"}, {"a": "1"})
    assert not matches({"a": "1"}, {"a": "2"})
    assert not matches({}, {"a": ""})
    assert matches({}, None)


@pytest.mark.parametrize("weight", [0.0, -1.0, inf, nan])
def test_a_member_without_a_finite_weight_above_zero_cannot_be_made(weight: float) -> None:
    with pytest.raises(ValueError, match="weight"):
        Member("alpha", "a1", weight)


def test_members_can_be_put_in_a_set_whatever_their_labels() -> None:
    assert len({Member("a", "1", 1.0, {"x": "1"}), Member("a", "1", 1.0, {"x": "1"})}) == 1
    assert Member("a", "1", 1.0, {"x": "1"}) != Member("a", "1", 1.0, {"x": "2"})


some_nodes = st.frozensets(st.sampled_from(NODES))


@given(listed=some_nodes, live=some_nodes, draining=some_nodes, dead=some_nodes)
def test_leases_only_take_away_and_only_what_they_know(
    listed: frozenset[str], live: frozenset[str], draining: frozenset[str], dead: frozenset[str]
) -> None:
    view = view_of(*(Member(node, f"{node}-1") for node in listed))
    leases = LeaseView({node: f"{node}-2" for node in live}, draining, dead)
    found = effective_members(view, leases)
    assert ids(found) == sorted(listed - ((draining | dead) - live))
    assert all(
        member.incarnation == f"{member.node_id}-{2 if member.node_id in live else 1}" for member in found
    )
