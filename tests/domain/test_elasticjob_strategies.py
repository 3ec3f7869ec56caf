"""ElasticJob's three strategies: the very results of its own unit tests, and Java's arithmetic beneath them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardkeeper.domain.sharding import owned_items, owners
from shardkeeper.domain.specs import Strategy
from shardkeeper.domain.strategies import java
from shardkeeper.domain.view import Member

MOST_NEGATIVE = "polygenelubricants"


def hosts(number: int) -> list[Member]:
    return [Member(f"host{i}", "1") for i in range(number)]


def dealt(strategy: Strategy, job_name: str, total: int, nodes: int) -> list[list[int]]:
    return [
        list(owned_items(job_name, total, strategy, hosts(nodes), None, f"host{i}")) for i in range(nodes)
    ]


def test_average_has_no_owner_without_a_server() -> None:
    assert owners("test_job", 3, Strategy.AVERAGE, []) == (None, None, None)


@pytest.mark.parametrize(
    ("total", "nodes", "expected"),
    [
        (3, 1, [[0, 1, 2]]),
        (2, 3, [[0], [1], []]),
        (9, 3, [[0, 1, 2], [3, 4, 5], [6, 7, 8]]),
        (8, 3, [[0, 1, 6], [2, 3, 7], [4, 5]]),
        (10, 3, [[0, 1, 2, 9], [3, 4, 5], [6, 7, 8]]),
    ],
)
def test_average_gives_what_elasticjob_gives(total: int, nodes: int, expected: list[list[int]]) -> None:
    assert dealt(Strategy.AVERAGE, "test_job", total, nodes) == expected


@pytest.mark.parametrize(("job_name", "expected"), [("1", [[0], [1], []]), ("0", [[], [1], [0]])])
def test_odevity_gives_what_elasticjob_gives(job_name: str, expected: list[list[int]]) -> None:
    assert dealt(Strategy.ODEVITY, job_name, 2, 3) == expected


@pytest.mark.parametrize(
    ("job_name", "expected"),
    [("1", [[], [0], [1]]), ("2", [[1], [], [0]]), ("3", [[0], [1], []])],
)
def test_round_robin_gives_what_elasticjob_gives(job_name: str, expected: list[list[int]]) -> None:
    assert dealt(Strategy.ROUND_ROBIN, job_name, 2, 3) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("1", 49),
        ("test_job", -1146456432),
        ("price-index", 444797774),
        (MOST_NEGATIVE, -(2**31)),
        ("é", 233),
        ("\U0001f600", 1772899),
    ],
)
def test_string_hash_is_javas(text: str, expected: int) -> None:
    assert java.string_hash(text) == expected


def test_the_absolute_value_of_the_most_negative_number_stays_negative() -> None:
    assert java.absolute(-(2**31)) == -(2**31)
    assert java.absolute(-7) == java.absolute(7) == 7


@pytest.mark.parametrize("nodes", [1, 2, 4, 8])
def test_round_robin_survives_the_most_negative_hash_as_elasticjob_does_for_powers_of_two(nodes: int) -> None:
    expected = [f"host{i}" for i in range(nodes)]
    assert list(owners(MOST_NEGATIVE, nodes, Strategy.ROUND_ROBIN, hosts(nodes))) == expected


def test_round_robin_turns_by_the_floor_modulus_where_elasticjob_throws() -> None:
    # -2^31 mod 3 = 1
    assert dealt(Strategy.ROUND_ROBIN, MOST_NEGATIVE, 2, 3) == [[], [0], [1]]


@given(
    job_name=st.text(min_size=1, max_size=20),
    total=st.integers(1, 60),
    nodes=st.integers(1, 12),
    strategy=st.sampled_from([Strategy.AVERAGE, Strategy.ODEVITY, Strategy.ROUND_ROBIN]),
)
def test_each_of_them_gives_every_item_one_owner_and_loads_that_differ_by_at_most_one(
    job_name: str, total: int, nodes: int, strategy: Strategy
) -> None:
    hands = dealt(strategy, job_name, total, nodes)
    assert sorted(item for hand in hands for item in hand) == list(range(total))
    loads = [len(hand) for hand in hands]
    assert max(loads) - min(loads) <= 1
