"""Who creates the runs of a job."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from shardkeeper.domain.planner.membership import Membership
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
