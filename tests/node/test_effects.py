"""Actions are handed over in their order; neighbours that come by the hundred go in one piece."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

from shardkeeper.domain.attempts import CreateRun
from shardkeeper.domain.facts import Joined
from shardkeeper.domain.outcomes import Outcome, Progress
from shardkeeper.domain.planner.actions import (
    Action,
    Claim,
    Create,
    Halt,
    HaltAll,
    Launch,
    Pull,
    Record,
    Report,
    Tell,
    Wake,
    Warm,
)
from shardkeeper.domain.planner.events import PullDue
from shardkeeper.domain.runs import AttemptStatus
from shardkeeper.domain.specs import Isolation
from shardkeeper.node.board import Board
from shardkeeper.node.effects import Effects, Lanes
from shardkeeper.node.orders import OrderLimits
from tests.domain.planner.desk import IMPL, claimed, job, key


class Ears:
    """Everything that is handed over, in its order: to whom, what, and with what."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, tuple[Any, ...]]] = []

    def of(self, name: str) -> Any:
        return _Ear(lambda what, given: self.heard.append((name, what, given)))


class _Ear:
    def __init__(self, hear: Callable[[str, tuple[Any, ...]], None]) -> None:
        self._hear = hear

    def __getattr__(self, what: str) -> Callable[..., None]:
        return lambda *given: self._hear(what, given)


def handed_over(*actions: Action) -> list[tuple[str, str, tuple[Any, ...]]]:
    ears = Ears()
    board = Board()
    board.subscribe(lambda fact: ears.heard.append(("board", "tell", (fact,))))
    names = ("runs", "claims", "pulls", "outcomes", "leases", "takeovers", "specs", "pending", "alerts")
    lanes = Lanes(**{name: ears.of(name) for name in names})
    workers, timers, others = ears.of("workers"), ears.of("timers"), ears.of("others")
    wake = cast("Callable[..., None]", others.wake)
    effects = Effects("n1", lanes, workers, timers, others, others, board, OrderLimits(), wake, others.ended)
    effects.perform(actions)
    return ears.heard


def record(run_id: int) -> Record:
    return Record("life-1", Outcome(key(run_id=run_id), 1, AttemptStatus.COMPLETED))


def create(job_name: str) -> Create:
    return Create("life-1", CreateRun(job_name, datetime(2026, 11, 21, 3, tzinfo=UTC), 1, 1, 1, (0,), True))


def launch(run_id: int) -> Launch:
    return Launch(claimed(run_id=run_id), job(), IMPL, ())


def test_neighbours_go_in_one_piece_and_the_order_stays() -> None:
    report = Report("life-1", Progress(key(run_id=3), 1, fraction=0.5))
    pull = Pull("life-1", 8)
    heard = handed_over(
        record(1),
        record(2),
        report,
        record(3),
        launch(4),
        launch(5),
        pull,
        launch(6),
        Tell(Joined("life-1")),
        Wake(1.0, PullDue()),
    )
    assert [(whom, what) for whom, what, _ in heard] == [
        ("outcomes", "put"),
        ("outcomes", "put"),
        ("outcomes", "put"),
        ("workers", "submit"),
        ("pulls", "put"),
        ("workers", "submit"),
        ("board", "tell"),
        ("others", "wake"),
    ]
    given = [what for _, _, what in heard]
    assert given[:3] == [(record(1), record(2)), (report,), (record(3),)]
    assert [[order.key.run_id for order in given[at]] for at in (3, 5)] == [[4, 5], [6]]
    assert given[4] == (pull,)


def test_creations_go_in_one_piece_and_claims_wait_for_none_of_them() -> None:
    one, two, claim = create("one"), create("two"), Claim("life-1", (key(run_id=1),))
    assert handed_over(one, two, claim) == [("runs", "put", (one, two)), ("claims", "put", (claim,))]


def test_a_dead_incarnations_attempts_are_killed_at_once_each_under_its_claim() -> None:
    heard = handed_over(Halt(key(run_id=1), 2, 5.0), HaltAll(((key(run_id=2), 1), (key(run_id=3), 4))))
    assert heard == [
        ("workers", "stop", (key(run_id=1), 2, 5.0)),
        ("workers", "stop", (key(run_id=2), 1, 0.0)),
        ("workers", "stop", (key(run_id=3), 4, 0.0)),
    ]


def test_workers_are_asked_for_before_there_is_anything_for_them() -> None:
    heard = handed_over(Warm(Isolation.THREAD), Warm(Isolation.PROCESS))
    assert heard == [("workers", "warm", ("thread",)), ("workers", "warm", ("process",))]
