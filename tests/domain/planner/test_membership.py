"""Who creates the runs of a job."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from shardkeeper.domain.planner.membership import Membership
from shardkeeper.domain.sharding import owner
from shardkeeper.domain.specs import JobSpec, Strategy
from shardkeeper.domain.view import Member, View

NODES = ("n1", "n2", "n3")
LABELS: st.SearchStrategy[dict[str, str]] = st.dictionaries(st.just("zone"), st.sampled_from("ab"))


@given(
    labels=st.lists(LABELS, min_size=1, max_size=3),
    selector=LABELS,
    strategy=st.sampled_from(Strategy),
    items=st.integers(1, 4),
    number=st.integers(0, 50),
)
def test_of_all_members_one_creates_and_it_is_the_owner_of_the_lowest_item(
    labels: list[dict[str, str]], selector: dict[str, str], strategy: Strategy, items: int, number: int
) -> None:
    members = tuple(Member(node, f"of-{node}", labels=own) for node, own in zip(NODES, labels, strict=False))
    spec = JobSpec(
        f"job-{number}",
        "impl",
        sharding_total_count=items,
        sharding_strategy=strategy,
        node_selector=selector,
    )
    creators = []
    for member in members:
        seen = Membership(member.node_id)
        seen.see_view(View("line", 1, "n1", members, datetime(2026, 11, 21, tzinfo=UTC)))
        seen.refresh()
        if seen.is_creator(spec, seen.mine(spec)):
            creators.append(member.node_id)
    assert creators == [seen.creator(spec)]


@given(
    views=st.lists(st.lists(LABELS, min_size=1, max_size=3), min_size=1, max_size=3),
    selectors=st.lists(LABELS, min_size=1, max_size=3),
    number=st.integers(0, 50),
)
def test_what_is_remembered_of_a_job_is_what_would_be_found(
    views: list[list[dict[str, str]]], selectors: list[dict[str, str]], number: int
) -> None:
    """Also when its labels change, and when the members do."""
    seen = Membership("n1")
    for epoch, labels in enumerate(views, 1):
        members = tuple(
            Member(node, f"of-{node}", labels=own) for node, own in zip(NODES, labels, strict=False)
        )
        seen.see_view(View("line", epoch, "n1", members, datetime(2026, 11, 21, tzinfo=UTC)))
        seen.refresh()
        for selector in [*selectors, *selectors]:
            spec = JobSpec(f"job-{number}", "impl", node_selector=selector)
            found = owner(spec.name, 0, 1, spec.sharding_strategy, members, selector)
            assert seen.mine(spec) == ((0,) if found == "n1" else ())
