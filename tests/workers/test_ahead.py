"""Orders given ahead of their turn: short ones only, and never at another's cost."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from shardkeeper.ports.workers import AttemptEnded, AttemptOrder, AttemptStarted, EndingStatus
from shardkeeper.workers.flight import Worker

from .hall import Hall, wait_until

OPEN_HALL = Callable[..., Hall]
ISOLATIONS = pytest.mark.parametrize("isolation", ["process", "thread"])


def warm(hall: Hall, isolation: str = "process") -> None:
    """Until orders of this entrypoint are known to be short."""
    for _ in range(30):
        hall.run("Turns", isolation=isolation)


def workers_of(hall: Hall) -> list[Worker]:
    supervisor = hall.workers._supervisor
    assert supervisor is not None
    return supervisor.crew.everyone


def long_one_among_short_ones(hall: Hall, what: str, isolation: str = "process") -> list[AttemptOrder]:
    """All of one entrypoint, so that nobody can know which is the long one."""
    held = hall.submit("Turns", {"do": "wait", "file": str(hall.folder / "first")}, isolation=isolation)
    hall.told("waiting-0")
    orders = [held]
    for number in range(12):
        parameters = {"do": what, "file": str(hall.folder / "go")} if number == 3 else {}
        orders.append(
            hall.submit("Turns", {**parameters, "returns": number}, item=number, isolation=isolation)
        )
    (hall.folder / "first").touch()
    return orders


def begun_once(hall: Hall, orders: list[AttemptOrder]) -> None:
    assert all(map(hall.ran_once, orders))


@ISOLATIONS
def test_what_lies_behind_a_long_attempt_runs_elsewhere_meanwhile(
    open_hall: OPEN_HALL, isolation: str
) -> None:
    hall = open_hall(capacity=2)
    warm(hall, isolation)
    orders = long_one_among_short_ones(hall, "wait", isolation)
    long = orders.pop(4)
    for order in orders:
        assert hall.ending(order).status is EndingStatus.COMPLETED
    assert not [event for event in hall.of(long) if isinstance(event, AttemptEnded)]
    (hall.folder / "go").touch()
    assert hall.ending(long).status is EndingStatus.COMPLETED
    begun_once(hall, [*orders, long])


@pytest.mark.parametrize("what", ["exit 9", "hang", "spoil"])
def test_a_crash_a_time_out_or_a_retired_worker_costs_what_lies_behind_nothing(
    open_hall: OPEN_HALL, what: str
) -> None:
    hall = open_hall(capacity=1)
    warm(hall)
    held = hall.submit("Turns", {"do": "wait", "file": str(hall.folder / "first")})
    hall.told("waiting-0")
    orders = [
        hall.submit("Turns", {"do": what if n == 2 else "", "returns": n}, timeout_s=0.5) for n in range(10)
    ]
    (hall.folder / "first").touch()
    assert hall.ending(held).status is EndingStatus.COMPLETED
    statuses = {
        "exit 9": EndingStatus.FAILED,
        "hang": EndingStatus.TIMED_OUT,
        "spoil": EndingStatus.COMPLETED,
    }
    for number, order in enumerate(orders):
        ending = hall.ending(order)
        assert ending.status is (statuses[what] if number == 2 else EndingStatus.COMPLETED)
        assert number == 2 or ending.result == number
    begun_once(hall, orders)


@ISOLATIONS
def test_an_order_given_ahead_is_stopped_unbegun_and_the_others_run(
    open_hall: OPEN_HALL, isolation: str
) -> None:
    hall = open_hall(capacity=1)
    warm(hall, isolation)
    orders = long_one_among_short_ones(hall, "wait", isolation)
    long, behind = orders[4], orders[9]
    hall.started(long)
    hall.workers.stop(behind.key, behind.claim_no, 20.0)
    ending = hall.ending(behind)
    assert (ending.status, ending.started_at) == (EndingStatus.STOPPED, None)
    (hall.folder / "go").touch()
    for order in orders:
        assert hall.ending(order).status is (
            EndingStatus.STOPPED if order is behind else EndingStatus.COMPLETED
        )
    assert not [event for event in hall.of(behind) if isinstance(event, AttemptStarted)]


def test_short_ones_do_go_ahead_to_the_worker_and_in_their_order(open_hall: OPEN_HALL) -> None:
    hall = open_hall(capacity=1)
    warm(hall)
    (worker,) = workers_of(hall)
    most = [0]
    orders = [hall.submit("Turns", {"returns": number}) for number in range(300)]

    def all_done() -> bool:
        most[0] = max(most[0], len(worker.flights))
        return len([event for event in hall.events if isinstance(event, AttemptEnded)]) >= 330

    wait_until(all_done)
    assert [hall.ending(order).result for order in orders] == list(range(300))
    ended = [event for event in hall.events if isinstance(event, AttemptEnded)]
    assert [event.key.run_id for event in ended] == sorted(event.key.run_id for event in ended)


@ISOLATIONS
def test_an_order_of_a_megabyte_arrives_whole(hall: Hall, isolation: str) -> None:
    text = "x" * 1_500_000
    orders = [
        hall.submit("Turns", {"returns": text + str(n)}, isolation=isolation, result_limit_bytes=4 << 20)
        for n in range(4)
    ]
    for number, order in enumerate(orders):
        assert hall.ending(order).result == text + str(number)


def test_a_worker_that_does_nothing_keeps_no_orders_from_the_others(open_hall: OPEN_HALL) -> None:
    hall = open_hall(capacity=2, minimum=2)
    warm(hall)
    wait_until(lambda: sum(worker.ready for worker in workers_of(hall)) == 2)
    frozen = hall.run("Report").result["pid"]
    os.kill(frozen, signal.SIGSTOP)
    orders = [hall.submit("Turns", {"returns": number}) for number in range(40)]

    def ended() -> int:
        return len(
            [
                order
                for order in orders
                if hall.of(order)[-1:] and isinstance(hall.of(order)[-1], AttemptEnded)
            ]
        )

    # all but the one that the frozen worker may hold in its hands
    wait_until(lambda: ended() >= 39)
    os.kill(frozen, signal.SIGCONT)
    assert [hall.ending(order).result for order in orders] == list(range(40))
    begun_once(hall, orders)
