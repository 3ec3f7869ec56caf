"""Each fact reaches those who wait for its kind, and nobody else."""

from __future__ import annotations

from dataclasses import dataclass

from shardkeeper.node.board import Board


@dataclass(frozen=True)
class Sunrise:
    hour: int


@dataclass(frozen=True)
class Eclipse(Sunrise):
    pass


@dataclass(frozen=True)
class Rain:
    pass


def test_who_names_no_kind_is_told_everything_and_who_names_some_those_alone() -> None:
    board = Board()
    all_of_it: list[object] = []
    suns: list[object] = []
    board.subscribe(all_of_it.append)
    board.subscribe(suns.append, Sunrise, int)
    for fact in (Rain(), Sunrise(6), Eclipse(7)):
        board.tell(fact)
    assert all_of_it == [Rain(), Sunrise(6), Eclipse(7)]
    assert suns == [Sunrise(6), Eclipse(7)]


def test_who_subscribes_later_is_told_what_comes_later() -> None:
    board = Board()
    board.tell(Rain())
    told: list[object] = []
    board.subscribe(told.append, Rain)
    board.tell(Rain())
    assert told == [Rain()]


def test_facts_are_told_in_the_order_of_the_subscriptions() -> None:
    board = Board()
    said: list[str] = []
    board.subscribe(lambda fact: said.append("first"))
    board.subscribe(lambda fact: said.append("second"), Rain)
    board.tell(Rain())
    assert said == ["first", "second"]
