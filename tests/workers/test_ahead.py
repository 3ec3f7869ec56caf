"""Orders given ahead of their turn: short ones only, and never at another's cost."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shardkeeper.ports.workers import AttemptEnded, AttemptOrder, AttemptStarted, EndingStatus
from shardkeeper.workers.flight import Worker

from .hall import Hall, freeze, take_for_short, thaw, wait_until

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
    take_for_short(hall)
    (worker,) = workers_of(hall)
    freeze(worker.process.pid)
    orders = [hall.submit("Turns", {"returns": number}) for number in range(300)]
    wait_until(lambda: len(worker.flights) > 32)
    held = [flight.order for flight in list(worker.flights.values())]
    assert held == orders[: len(held)]
    thaw(worker.process.pid)
    assert [hall.ending(order).result for order in orders] == list(range(300))


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
    freeze(frozen)
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
    thaw(frozen)
    assert [hall.ending(order).result for order in orders] == list(range(40))
    begun_once(hall, orders)


LARGE = "x" * 100_000
"""More than one packet takes."""


def test_behind_an_order_of_several_packets_that_runs_another_is_stopped_unbegun_and_the_first_goes_on(
    open_hall: OPEN_HALL,
) -> None:
    hall = open_hall(capacity=2)
    warm(hall, "thread")
    take_for_short(hall)
    waits = {"do": "wait", "file": str(hall.folder / "go")}
    large = hall.submit("Turns", {**waits, "text": LARGE}, isolation="thread")
    hall.started(large)
    (worker,) = workers_of(hall)
    freeze(worker.process.pid)
    behind = [hall.submit("Turns", {"returns": number}, isolation="thread") for number in range(20)]
    wait_until(lambda: len(worker.flights) == 21)
    hall.workers.stop(behind[9].key, 1, 0.2)
    assert hall.ending(behind[9]).status is EndingStatus.STOPPED
    assert not hall.of(large)[1:]
    thaw(worker.process.pid)
    del behind[9]
    assert [hall.ending(order).result for order in behind] == [*range(9), *range(10, 20)]
    (hall.folder / "go").touch()
    assert hall.ending(large).status is EndingStatus.COMPLETED


def frozen_and_other(hall: Hall, isolation: str) -> tuple[Worker, str]:
    """The worker of an isolation, which does nothing any more, and the other isolation, whose worker is there, too."""
    warm(hall, isolation)
    take_for_short(hall)
    (worker,) = [one for one in workers_of(hall) if one.shared == (isolation == "thread")]
    other = "thread" if isolation == "process" else "process"
    hall.run("Turns", isolation=other)
    freeze(worker.process.pid)
    return worker, other


@ISOLATIONS
def test_nothing_goes_ahead_to_one_that_holds_an_order_of_several_packets(
    open_hall: OPEN_HALL, isolation: str
) -> None:
    hall = open_hall(capacity=1)
    worker, other = frozen_and_other(hall, isolation)
    large = hall.submit("Turns", {"returns": 0, "text": LARGE}, isolation=isolation)
    small = [hall.submit("Turns", {"returns": number}, isolation=isolation) for number in (1, 2)]
    hall.run("Turns", isolation=other)
    assert [flight.order for flight in list(worker.flights.values())] == [large]
    thaw(worker.process.pid)
    assert [hall.ending(order).result for order in (large, *small)] == [0, 1, 2]


@ISOLATIONS
def test_an_order_of_several_packets_does_not_go_ahead(open_hall: OPEN_HALL, isolation: str) -> None:
    hall = open_hall(capacity=1)
    worker, other = frozen_and_other(hall, isolation)
    small = [hall.order("Turns", {"returns": number}, isolation=isolation) for number in range(3)]
    large = hall.order("Turns", {"returns": 3, "text": LARGE}, isolation=isolation)
    last = hall.order("Turns", {"returns": 4}, isolation=isolation)
    hall.workers.submit(*small, large, last)
    wait_until(lambda: len(worker.flights) == 3)
    hall.run("Turns", isolation=other)
    assert [flight.order for flight in list(worker.flights.values())] == small
    thaw(worker.process.pid)
    assert [hall.ending(order).result for order in (*small, large, last)] == [0, 1, 2, 3, 4]


@ISOLATIONS
def test_an_order_of_several_packets_is_not_taken_back(open_hall: OPEN_HALL, isolation: str) -> None:
    hall = open_hall(capacity=1)
    worker, other = frozen_and_other(hall, isolation)
    large = hall.submit("Turns", {"returns": 1, "text": LARGE}, isolation=isolation)
    wait_until(lambda: bool(worker.flights))
    hall.workers.take_back(large.key, 1)
    hall.run("Turns", isolation=other)
    assert not hall.of(large)
    thaw(worker.process.pid)
    assert hall.ending(large).result == 1


@pytest.mark.parametrize("capacity", [2, 3])
def test_nothing_lies_behind_an_unread_order_of_several_packets_though_there_are_places(
    open_hall: OPEN_HALL, capacity: int
) -> None:
    hall = open_hall(capacity=capacity)
    warm(hall, "thread")
    take_for_short(hall)
    (worker,) = workers_of(hall)
    freeze(worker.process.pid)
    first = hall.order("Turns", {"returns": 0}, isolation="thread")
    large = hall.order("Turns", {"returns": 1, "text": LARGE}, isolation="thread")
    behind = [hall.order("Turns", {"returns": number}, isolation="thread") for number in range(2, 10)]
    hall.workers.submit(first, large, *behind)
    wait_until(lambda: len(worker.flights) == 2)
    hall.run("Turns")
    assert [flight.order for flight in list(worker.flights.values())] == [first, large]
    thaw(worker.process.pid)
    assert [hall.ending(order).result for order in (first, large, *behind)] == list(range(10))
