"""Dealing sources to items by weight."""

from __future__ import annotations

from itertools import product
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from shardkeeper.domain.sources import deal
from shardkeeper.domain.specs import SourceData

# whole numbers, so that sums are exact
source_lists = st.lists(
    st.builds(
        SourceData,
        key=st.text(max_size=5),
        weight=st.integers(1, 1000).map(float),
        enabled=st.sampled_from([True, True, True, False]),
    ),
    unique_by=lambda source: source.key,
    max_size=25,
)


def weights(hands: tuple[tuple[SourceData, ...], ...]) -> list[float]:
    return [sum(source.weight for source in hand) for hand in hands]


@given(source_lists, st.integers(1, 12))
def test_each_enabled_source_goes_to_one_item_and_disabled_ones_to_none(
    sources: list[SourceData], total: int
) -> None:
    hands = deal(sources, total)
    assert len(hands) == total
    assert sorted(s.key for hand in hands for s in hand) == sorted(s.key for s in sources if s.enabled)
    assert all(list(hand) == sorted(hand, key=lambda s: s.key) for hand in hands)


@given(source_lists, st.integers(1, 12))
def test_items_differ_by_no_more_than_the_heaviest_source(sources: list[SourceData], total: int) -> None:
    found = weights(deal(sources, total))
    heaviest = max((s.weight for s in sources if s.enabled), default=0.0)
    assert max(found) - min(found) <= heaviest
    # in whole numbers: max <= mean + heaviest * (1 - 1/total)
    assert max(found) * total <= sum(found) + heaviest * (total - 1)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=6), st.integers(1, 3))
def test_the_fullest_item_has_at_most_four_thirds_of_the_best_dealing_possible(
    found: list[int], total: int
) -> None:
    sources = [SourceData(f"s{i}", float(weight)) for i, weight in enumerate(found)]
    best = min(
        max(sum(w for w, where in zip(found, places, strict=True) if where == item) for item in range(total))
        for places in product(range(total), repeat=len(found))
    )
    assert 3 * total * max(weights(deal(sources, total))) <= (4 * total - 1) * best


@given(source_lists, st.integers(1, 12), st.randoms())
def test_the_order_in_which_sources_are_given_does_not_matter(
    sources: list[SourceData], total: int, random: Random
) -> None:
    assert deal(random.sample(sources, len(sources)), total) == deal(sources, total)


def test_equal_sources_are_spread_by_number_too() -> None:
    hands = deal([SourceData(f"s{i}") for i in range(7)], 3)
    assert sorted(map(len, hands)) == [2, 2, 3]


def test_a_worked_example() -> None:
    feeds = {"a": 5.0, "b": 4.0, "c": 3.0, "d": 3.0, "e": 3.0}
    hands = deal([SourceData(key, weight) for key, weight in feeds.items()], 2)
    assert [[source.key for source in hand] for hand in hands] == [["a", "d"], ["b", "c", "e"]]
