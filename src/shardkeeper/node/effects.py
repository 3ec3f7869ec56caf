"""Hands each of the planner's actions to the one who can do it. Nothing here waits."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from shardkeeper.domain.planner.actions import (
    Action,
    Alert,
    ArmTimer,
    Beat,
    Claim,
    CloseUnrunnable,
    Create,
    Decline,
    DisarmTimer,
    End,
    Enter,
    ForgetDeclines,
    Halt,
    HaltAll,
    Join,
    Launch,
    Leave,
    MirrorView,
    Pull,
    ReadPending,
    ReadPinned,
    ReadSpecs,
    RebuildTimers,
    Record,
    Replay,
    Report,
    Resize,
    SayDraining,
    SaySkewed,
    TakeBack,
    TakeOver,
    Tell,
    Wake,
    Warm,
)
from shardkeeper.domain.planner.events import Event
from shardkeeper.node.board import Board
from shardkeeper.node.coordination import Coordination
from shardkeeper.node.duties import DutyRoster
from shardkeeper.node.lanes import Lane
from shardkeeper.node.orders import OrderLimits, OrderWriter
from shardkeeper.ports.clock import Timers
from shardkeeper.ports.workers import Workers


@dataclass(frozen=True, slots=True)
class Lanes:
    """One for each port of the store that must not wait for another."""

    runs: Lane[Create]
    claims: Lane[Claim]
    pulls: Lane[Pull]
    outcomes: Lane[Record | Report]
    leases: Lane[Replay | Join | Beat | SayDraining | Leave | MirrorView]
    takeovers: Lane[TakeOver]
    specs: Lane[ReadSpecs | ReadPinned | Decline | ForgetDeclines]
    pending: Lane[ReadPending | CloseUnrunnable]
    alerts: Lane[Alert]


class Effects:
    """``wake`` puts an event on the agenda; ``ended`` is called once, when the node's life is over."""

    def __init__(
        self,
        node_id: str,
        lanes: Lanes,
        workers: Workers,
        timers: Timers,
        coordination: Coordination,
        duties: DutyRoster,
        board: Board,
        limits: OrderLimits,
        wake: Callable[[float, Event], None],
        ended: Callable[[], None],
    ) -> None:
        self._leases = lanes.leases
        self._workers = workers
        self._coordination = coordination
        self._duties = duties
        self._orders = OrderWriter(node_id, limits)
        self._table = self._steps(lanes, timers, board, wake, ended)
        self._many: dict[type, Callable[[Iterable[Any]], None]] = {
            Launch: self._launch,
            Create: lambda creations: lanes.runs.put(*creations),
            Record: lambda records: lanes.outcomes.put(*records),
        }

    def _steps(
        self,
        lanes: Lanes,
        timers: Timers,
        board: Board,
        wake: Callable[[float, Event], None],
        ended: Callable[[], None],
    ) -> dict[type, Callable[[Any], None]]:
        return {
            Claim: lanes.claims.put,
            Report: lanes.outcomes.put,
            **dict.fromkeys((Replay, Join, Beat, Leave, MirrorView), lanes.leases.put),
            **dict.fromkeys((ReadSpecs, ReadPinned, Decline, ForgetDeclines), lanes.specs.put),
            **dict.fromkeys((ReadPending, CloseUnrunnable), lanes.pending.put),
            TakeOver: lanes.takeovers.put,
            Pull: lanes.pulls.put,
            Alert: lanes.alerts.put,
            SayDraining: self._say_draining,
            SaySkewed: lambda action: self._coordination.skewed(action.skewed),
            Enter: self._enter,
            End: lambda _: ended(),
            Halt: lambda action: self._workers.stop(action.key, action.claim_no, action.kill_after_s),
            TakeBack: lambda action: self._workers.take_back(action.key, action.claim_no),
            HaltAll: self._halt_all,
            Warm: lambda action: self._workers.warm(action.isolation.value),
            Resize: lambda action: self._workers.resize(action.workers),
            ArmTimer: lambda action: timers.arm(action.key, action.at),
            DisarmTimer: lambda action: timers.disarm(action.key),
            RebuildTimers: lambda _: timers.rebuild(),
            Wake: lambda action: wake(action.at_mono, action.event),
            Tell: lambda action: board.tell(action.fact),
        }

    def perform(self, actions: Iterable[Action]) -> None:
        """Hand them over, in their order; neighbours of a kind that comes by the hundred go in one piece."""
        for kind, alike in groupby(actions, type):
            if kind in self._many:
                self._many[kind](alike)
            else:
                step = self._table[kind]
                for action in alike:
                    step(action)

    def _launch(self, launches: Iterable[Launch]) -> None:
        self._workers.submit(*map(self._orders.order_of, launches))

    def _halt_all(self, action: HaltAll) -> None:
        for key, claim_no in action.claims:
            self._workers.stop(key, claim_no, 0.0)

    def _say_draining(self, action: SayDraining) -> None:
        self._coordination.draining(action.draining)
        self._leases.put(action)

    def _enter(self, action: Enter) -> None:
        self._coordination.enter(action.incarnation)
        self._duties.enter(action.incarnation)
