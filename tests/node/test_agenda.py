"""Events for later come in the order of their instants."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shardkeeper.node.agenda import Agenda


def taken(agenda: Agenda[str], mono: float) -> list[str]:
    found = []
    while (event := agenda.due(mono)) is not None:
        found.append(event)
    return found


def test_what_is_due_comes_by_its_instant_and_not_before_it() -> None:
    agenda: Agenda[str] = Agenda()
    agenda.put(3.0, "third")
    agenda.put(1.0, "first")
    agenda.put(2.0, "second")
    assert taken(agenda, 0.999) == []
    assert taken(agenda, 2.0) == ["first", "second"]
    assert taken(agenda, 3.0) == ["third"]


def test_events_of_one_instant_keep_their_order_and_need_not_be_comparable() -> None:
    agenda: Agenda[complex] = Agenda()
    for number in (2j, 1j, 3j):
        agenda.put(5.0, number)
    assert [agenda.due(5.0) for _ in range(3)] == [2j, 1j, 3j]


@given(st.lists(st.floats(0, 100), max_size=30))
def test_nothing_is_lost_and_nothing_comes_early(instants: list[float]) -> None:
    agenda: Agenda[float] = Agenda()
    for instant in instants:
        agenda.put(instant, instant)
    assert agenda.due(-1.0) is None
    found = []
    while (instant_due := agenda.due(100.0)) is not None:
        found.append(instant_due)
    assert found == sorted(instants)


def test_the_wait_is_until_the_next_event_within_bounds() -> None:
    agenda: Agenda[str] = Agenda()
    assert agenda.wait_s(10.0, longest_s=0.5) == 0.5
    agenda.put(10.2, "soon")
    assert round(agenda.wait_s(10.0, longest_s=0.5), 6) == 0.2
    assert agenda.wait_s(0.0, longest_s=0.5) == 0.5
    assert agenda.wait_s(11.0, longest_s=0.5) == 0.0
