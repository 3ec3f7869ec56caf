"""Who owns which item: what holds for every strategy, and the questions that can be asked."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardkeeper.domain.roster import Roster
from shardkeeper.domain.sharding import order_of_nodes, owned_items, owner, owners
from shardkeeper.domain.specs import Strategy
from shardkeeper.domain.view import Member

strategies = st.sampled_from(Strategy)
members_lists = st.lists(
    st.builds(
        Member,
        node_id=st.text(min_size=1, max_size=8),
        incarnation=st.just("1"),
        weight=st.sampled_from([0.1, 1.0, 1.0, 1.0, 3.0, 1e-300, 1e300]),
        labels=st.dictionaries(st.sampled_from(["zone", "disk"]), st.sampled_from(["a", "b"])),
    ),
    unique_by=lambda member: member.node_id,
    max_size=9,
)
selectors = st.none() | st.dictionaries(st.sampled_from(["zone", "disk"]), st.sampled_from(["a", "b"]))


@given(st.text(max_size=20), st.integers(1, 50), strategies, members_lists, selectors, st.randoms())
def test_every_question_gives_the_same_answer_in_whatever_order_members_come(
    job: str,
    total: int,
    strategy: Strategy,
    members: list[Member],
    selector: dict[str, str] | None,
    random: Random,
) -> None:
    found = owners(job, total, strategy, members, selector)
    shuffled = random.sample(members, len(members))
    assert owners(job, total, strategy, Roster(shuffled), selector) == found
    assert tuple(owner(job, item, total, strategy, shuffled, selector) for item in range(len(found))) == found
    for node_id in {member.node_id for member in members}:
        items = owned_items(job, total, strategy, members, selector, node_id)
        assert items == tuple(item for item, one in enumerate(found) if one == node_id)


@given(st.text(max_size=20), st.integers(1, 50), strategies, members_lists, selectors)
def test_each_item_has_one_owner_among_the_fitting_and_none_only_when_nobody_fits(
    job: str, total: int, strategy: Strategy, members: list[Member], selector: dict[str, str] | None
) -> None:
    fitting = {m.node_id for m in members if all(m.labels.get(k) == v for k, v in (selector or {}).items())}
    found = owners(job, total, strategy, members, selector)
    if strategy is Strategy.EACH_NODE:
        assert found == tuple(sorted(fitting))
    elif fitting:
        assert len(found) == total
        assert set(found) <= fitting
    else:
        assert found == (None,) * total


@given(st.text(max_size=20), st.integers(1, 30), st.data(), strategies, members_lists, selectors)
def test_the_order_of_nodes_begins_with_the_owner_and_names_each_fitting_node_once(
    job: str,
    total: int,
    data: st.DataObject,
    strategy: Strategy,
    members: list[Member],
    selector: dict[str, str] | None,
) -> None:
    item = data.draw(st.integers(0, total - 1))
    order = order_of_nodes(job, item, total, strategy, members, selector)
    first = owner(job, item, total, strategy, members, selector)
    fitting = Roster(members).eligible(selector).node_ids
    if first is None:
        assert order == ()
    elif strategy is Strategy.EACH_NODE:
        assert order == (first,)
    else:
        assert order[0] == first
        assert sorted(order) == sorted(fitting)


@given(st.text(max_size=20), members_lists, strategies)
def test_ownership_does_not_depend_on_the_incarnation(
    job: str, members: list[Member], strategy: Strategy
) -> None:
    restarted = [Member(m.node_id, "2", m.weight, m.labels) for m in members]
    assert owners(job, 7, strategy, members) == owners(job, 7, strategy, restarted)


def test_the_second_in_line_for_a_lone_item_is_who_owns_it_when_the_first_leaves() -> None:
    members = [Member(f"node-{i}", "1", 1.0 + i % 2) for i in range(6)]
    for number in range(200):
        first, second, *_ = order_of_nodes(f"job-{number}", 0, 1, Strategy.BALANCED, members)
        rest = [member for member in members if member.node_id != first]
        assert owner(f"job-{number}", 0, 1, Strategy.BALANCED, rest) == second


def test_items_of_one_owner_do_not_all_have_the_same_second_in_line() -> None:
    members = [Member(f"node-{i}", "1") for i in range(5)]
    seconds = {order_of_nodes("job", item, 100, Strategy.BALANCED, members)[1] for item in range(100)}
    assert seconds == {member.node_id for member in members}


@pytest.mark.parametrize("item", [-1, 3, 10**9])
def test_an_item_that_the_job_does_not_have_has_no_owner(item: int) -> None:
    assert owner("job", item, 3, Strategy.BALANCED, [Member("a", "1")]) is None
    assert owner("job", item, 1, Strategy.EACH_NODE, [Member("a", "1")]) is None
    assert order_of_nodes("job", item, 3, Strategy.EACH_NODE, [Member("a", "1")]) == ()


def test_answers_do_not_change_between_processes_machines_and_versions() -> None:
    """Nodes of different versions must agree: these answers may only change with a new name for the strategy."""
    even = [Member(f"node-{i}", "1") for i in range(3)]
    heavy = [Member("node-0", "1", 2.5), *even[1:]]

    def short(members: list[Member], total: int) -> str:
        return "".join(str(one)[-1] for one in owners("price-index", total, Strategy.BALANCED, members))

    assert [short(even, total) for total in (1, 7, 20)] == ["2", "2212001", "22000010111202112122"]
    assert [short(heavy, total) for total in (1, 7, 20)] == ["0", "2200001", "20000020112002102100"]


def test_a_roster_remembers_what_a_selector_leaves() -> None:
    roster = Roster([Member("a", "1", 1.0, {"zone": "x"}), Member("b", "1")])
    assert roster.eligible(None) is roster.eligible({}) is roster
    assert roster.eligible({"zone": "x"}) is roster.eligible({"zone": "x"})
    assert roster.eligible({"zone": "x"}).node_ids == ("a",)
