"""Virtual time: what is due happens in order, at its own instant; walls may be stepped."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shardkeeper.memory.clock import START, NodeClock, VirtualClock
from shardkeeper.memory.timers import MemoryTimers


def seconds(amount: float) -> timedelta:
    return timedelta(seconds=amount)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


def test_time_stands_still_until_it_is_turned(clock: VirtualClock) -> None:
    assert (clock.now(), clock.monotonic()) == (START, 0.0)
    clock.advance(1.5)
    assert (clock.now(), clock.monotonic()) == (START + seconds(1.5), 1.5)


def test_what_is_due_happens_in_order_each_at_its_own_instant(clock: VirtualClock) -> None:
    seen: list[tuple[str, float]] = []
    for name, delay in (("late", 3.0), ("first", 1.0), ("second", 1.0)):
        clock.call_later(delay, lambda name=name: seen.append((name, clock.monotonic())))  # type: ignore[misc]
    clock.advance(2)
    assert seen == [("first", 1.0), ("second", 1.0)]
    clock.advance(2)
    assert seen[-1] == ("late", 3.0)


def test_what_happens_may_ask_for_more_within_the_same_turn(clock: VirtualClock) -> None:
    seen: list[float] = []

    def again() -> None:
        seen.append(clock.monotonic())
        clock.call_later(1.0, again)

    clock.call_later(1.0, again)
    clock.advance(3.5)
    assert seen == [1.0, 2.0, 3.0]


def test_what_is_cancelled_does_not_happen(clock: VirtualClock) -> None:
    seen: list[str] = []
    clock.call_later(1.0, lambda: seen.append("no")).cancel()
    clock.advance(2)
    assert seen == []
    assert clock.next_in_s() is None
    assert not clock.run_next()


def test_many_small_turns_do_not_drift(clock: VirtualClock) -> None:
    for _ in range(10_000):
        clock.advance(0.1)
    assert clock.now() == START + seconds(1000)


def test_a_nodes_wall_can_be_stepped_and_its_monotonic_time_goes_on(clock: VirtualClock) -> None:
    node = NodeClock(clock, skew_s=0.25)
    node.step(-3600)
    clock.advance(10)
    assert node.now() == START + seconds(10.25 - 3600)
    assert node.monotonic() == 10.0


def timers(clock: NodeClock) -> tuple[MemoryTimers, list[tuple[str, float]]]:
    made, fired = MemoryTimers(clock), list[tuple[str, float]]()
    made.start(lambda key: fired.append((key, clock.monotonic())))
    return made, fired


def test_a_timer_fires_once_at_its_instant(clock: VirtualClock) -> None:
    made, fired = timers(NodeClock(clock))
    made.arm("key", START + seconds(5))
    clock.advance(4.999)
    assert fired == []
    clock.advance(60)
    assert fired == [("key", 5.0)]


def test_a_timer_that_is_armed_again_is_armed_for_the_last_instant_only(clock: VirtualClock) -> None:
    made, fired = timers(NodeClock(clock))
    made.arm("key", START + seconds(5))
    made.arm("key", START + seconds(8))
    clock.advance(60)
    assert fired == [("key", 8.0)]


def test_a_timer_for_the_past_fires_at_once(clock: VirtualClock) -> None:
    made, fired = timers(NodeClock(clock))
    made.arm("key", START - seconds(5))
    clock.advance(0)
    assert fired == [("key", 0.0)]


def test_timers_that_are_disarmed_or_stopped_do_not_fire(clock: VirtualClock) -> None:
    made, fired = timers(NodeClock(clock))
    made.arm("one", START + seconds(5))
    made.arm("two", START + seconds(5))
    made.disarm("one")
    made.disarm("nobody")
    clock.advance(1)
    made.stop()
    made.stop()
    clock.advance(60)
    assert fired == []


def test_a_timer_sleeps_through_a_step_forward_unless_it_is_rebuilt(clock: VirtualClock) -> None:
    node = NodeClock(clock)
    made, fired = timers(node)
    made.arm("key", START + seconds(100))
    node.step(50)
    clock.advance(60)
    assert fired == []
    made.rebuild()
    clock.advance(0)
    assert fired == [("key", 60.0)]


def test_a_timer_does_not_fire_early_after_a_step_back(clock: VirtualClock) -> None:
    node = NodeClock(clock)
    made, fired = timers(node)
    made.arm("key", START + seconds(10))
    node.step(-5)
    clock.advance(60)
    assert fired == [("key", 15.0)]
