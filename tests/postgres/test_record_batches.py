"""Batches of which some spoil the whole: split until the culprit stands alone. Without a server."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardkeeper.domain.errors import PartlyUnanswered, StoreUnavailable
from shardkeeper.postgres.batches import MOST_TIMEOUTS, in_parts
from shardkeeper.postgres.errors import StoreTimeout


class Store:
    """Stores numbers, but none of ``bad``; any of ``locked`` makes a call time out."""

    def __init__(self, bad: Sequence[int] = (), locked: Sequence[int] = ()) -> None:
        self.bad, self.locked = set(bad), set(locked)
        self.stored: list[int] = []
        self.calls = 0

    def call(self, part: Sequence[int]) -> list[str]:
        self.calls += 1
        if self.locked & set(part):
            raise StoreTimeout
        if self.bad & set(part):
            raise psycopg.errors.UntranslatableCharacter("no such character")
        self.stored += part
        return [f"{each} stored" for each in part]


def refuse(item: int, reason: str) -> str:
    return f"{item} refused: {reason}"


@given(count=st.integers(0, 40), bad=st.sets(st.integers(0, 39)))
def test_only_what_cannot_be_stored_is_refused_and_answers_keep_their_order(
    count: int, bad: set[int]
) -> None:
    store = Store(bad=sorted(bad))
    answers = in_parts(range(count), store.call, refuse)
    assert answers == [
        refuse(each, "no such character") if each in bad else f"{each} stored" for each in range(count)
    ]


@given(count=st.integers(1, 128), locked=st.integers(0, 127))
def test_one_that_times_out_keeps_no_other_from_being_stored(count: int, locked: int) -> None:
    store = Store(locked=[locked % count])
    with pytest.raises(StoreTimeout):
        in_parts(range(count), store.call, refuse)
    assert sorted(store.stored) == [each for each in range(count) if each != locked % count]


def test_the_answers_of_the_others_are_told_with_the_one_that_timed_out() -> None:
    store = Store(bad=[1], locked=[5])
    with pytest.raises(PartlyUnanswered) as raised:
        in_parts(range(7), store.call, refuse)
    assert raised.value.answers == (
        "0 stored",
        refuse(1, "no such character"),
        "2 stored",
        "3 stored",
        "4 stored",
        None,
        "6 stored",
    )


def test_answers_are_told_although_too_many_timed_out() -> None:
    store = Store(locked=range(1, 100))
    with pytest.raises(StoreTimeout) as raised:
        in_parts(range(2), store.call, refuse)
    assert isinstance(raised.value, PartlyUnanswered)
    assert raised.value.answers == ("0 stored", None)


def test_two_that_time_out_keep_no_other_from_being_stored() -> None:
    store = Store(locked=[3, 97])
    with pytest.raises(StoreTimeout):
        in_parts(range(100), store.call, refuse)
    assert len(store.stored) == 98


def test_when_nothing_gets_through_the_whole_is_given_up_soon() -> None:
    store = Store(locked=range(100))
    with pytest.raises(StoreTimeout):
        in_parts(range(100), store.call, refuse)
    assert store.calls == MOST_TIMEOUTS


def test_a_store_that_does_not_answer_is_not_asked_again() -> None:
    calls = []

    def call(part: Sequence[int]) -> list[str]:
        calls.append(part)
        raise StoreUnavailable

    with pytest.raises(StoreUnavailable):
        in_parts(range(4), call, refuse)
    assert len(calls) == 1
