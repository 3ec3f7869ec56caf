"""The loss of PostgreSQL itself is told by another way than the outbox, which lies in it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from shardkeeper.domain.facts import StoreFound, StoreLost
from shardkeeper.node.outage import OutageTeller
from shardkeeper.ports.notifier import Notice, Posted

AT_ONCE_S = 0.0
NEVER_S = 3600.0


class Ear:
    """A notifier whose messages can be waited for."""

    def __init__(self, *refusals: Posted) -> None:
        self.heard: list[Notice] = []
        self._refusals = list(refusals)
        self._changed = threading.Condition()

    def post(self, notice: Notice) -> Posted:
        with self._changed:
            if self._refusals:
                return self._refusals.pop(0)
            self.heard.append(notice)
            self._changed.notify_all()
        return Posted(True)

    def wait_for(self, count: int) -> list[str]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.heard) >= count, 10)
        return [notice.title for notice in self.heard]


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
def tellers() -> Iterator[list[OutageTeller]]:
    made: list[OutageTeller] = []
    yield made
    for teller in made:
        teller.stop(5)


def started(tellers: list[OutageTeller], ear: Ear, after_s: float, speaks: bool = True) -> OutageTeller:
    teller = OutageTeller(ear, "live", "n1", lambda: speaks, after_s)
    tellers.append(teller)
    teller.start()
    return teller


def test_an_outage_and_its_end_are_told_once_each(tellers: list[OutageTeller], ear: Ear) -> None:
    teller = started(tellers, ear, AT_ONCE_S)
    teller(StoreLost("connection refused"))
    (title,) = ear.wait_for(1)
    assert title == "[live] PostgreSQL has not answered node n1 for 0 s"
    assert ear.heard[0].error == "connection refused"
    teller(StoreFound(61.2))
    assert ear.wait_for(2)[1] == "[live] PostgreSQL answers again after 61 s"


def test_a_short_outage_is_told_to_nobody(tellers: list[OutageTeller], ear: Ear) -> None:
    teller = started(tellers, ear, NEVER_S)
    teller(StoreLost("restart"))
    teller(StoreFound(1.0))
    teller.stop(10)
    assert ear.heard == []


def test_only_the_node_that_speaks_for_all_tells(tellers: list[OutageTeller], ear: Ear) -> None:
    silent = started(tellers, ear, AT_ONCE_S, speaks=False)
    silent(StoreLost("away"))
    silent(StoreFound(60.0))
    loud = started(tellers, ear, AT_ONCE_S)
    loud(StoreLost("away"))
    ear.wait_for(1)
    silent.stop(10)
    assert len(ear.heard) == 1


def test_a_refusal_is_tried_again(tellers: list[OutageTeller]) -> None:
    ear = Ear(Posted(False, retry_after_s=0.0, reason="ratelimited"))
    started(tellers, ear, AT_ONCE_S)(StoreLost("away"))
    assert len(ear.wait_for(1)) == 1


def test_stopping_ends_a_wait_and_tolerates_never_started_and_twice(ear: Ear) -> None:
    teller = OutageTeller(ear, "live", "n1", lambda: True, NEVER_S)
    teller.stop(1)
    teller = OutageTeller(ear, "live", "n1", lambda: True, NEVER_S)
    teller.start()
    teller(StoreLost("away"))
    teller.stop(10)
    teller.stop(10)
    assert ear.heard == []
