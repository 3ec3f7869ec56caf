"""Undoing: an order that compensates runs that and nothing else; what can be compensated is known however it ends."""

from __future__ import annotations

import pytest

from shardkeeper.domain.runs import Phase
from shardkeeper.ports.workers import AttemptCheckpointed, AttemptStarted, EndingStatus

from .hall import Hall

ISOLATIONS = pytest.mark.parametrize("isolation", ["process", "thread"])


@ISOLATIONS
def test_a_compensating_order_runs_compensate_alone(hall: Hall, isolation: str) -> None:
    order = hall.submit("Undoes", {"calculate": "die"}, isolation=isolation, compensates=True)
    ending = hall.ending(order)
    assert (ending.status, ending.phase, ending.result) == (
        EndingStatus.COMPLETED,
        Phase.COMPENSATE,
        None,
    )
    assert (ending.initialize_ms, ending.calculate_ms, ending.validate_ms) == (None, None, None)
    assert hall.told("compensating")
    assert hall.started(order).phase is Phase.COMPENSATE
    assert hall.wait(AttemptCheckpointed).checkpoint == {"undone": True}


@pytest.mark.parametrize(
    ("how", "status"),
    [("raise", EndingStatus.FAILED), ("die", EndingStatus.FAILED), ("hang", EndingStatus.TIMED_OUT)],
)
def test_a_compensation_that_ends_badly_says_so(hall: Hall, how: str, status: EndingStatus) -> None:
    ending = hall.run("Undoes", {"compensate": how}, compensates=True, timeout_s=1.0)
    assert (ending.status, ending.phase, ending.compensable) == (status, Phase.COMPENSATE, True)


def test_a_class_without_compensate_has_nothing_to_undo(hall: Hall) -> None:
    ending = hall.run("Dies", {"how": "exit 9"}, compensates=True)
    assert (ending.status, ending.phase, ending.compensable) == (
        EndingStatus.COMPLETED,
        Phase.COMPENSATE,
        False,
    )


@ISOLATIONS
@pytest.mark.parametrize("how", [None, "raise", "die", "hang"])
def test_beginning_and_ending_tell_that_it_can_be_compensated(
    hall: Hall, isolation: str, how: str | None
) -> None:
    order = hall.submit("Undoes", {"calculate": how}, isolation=isolation)
    if how == "hang":
        hall.told("hanging")
        hall.workers.stop(order.key, order.claim_no, 0.2)
    assert hall.ending(order).compensable
    assert hall.wait(AttemptStarted, lambda event: event.key == order.key).compensable


def test_what_overrides_nothing_or_has_not_begun_cannot_be_compensated(hall: Hall) -> None:
    assert not hall.run("Simple").compensable
    assert not hall.run("ill_behaved:Absent").compensable
