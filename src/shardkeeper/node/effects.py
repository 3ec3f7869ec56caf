"""Hands each of the planner's actions to the one who can do it. Nothing here waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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
    Report,
    Resize,
    SayDraining,
    SaySkewed,
    TakeBack,
    TakeOver,
    Tell,
    Wake,
)
from shardkeeper.domain.planner.events import Event
from shardkeeper.domain.runs import AttemptKey
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

    runs: Lane[Create | Claim]
    pulls: Lane[Pull]
    outcomes: Lane[Record | Report]
    leases: Lane[Join | Beat | SayDraining | Leave | MirrorView]
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
        self._launched: dict[AttemptKey, int] = {}
        self._table = self._steps(lanes, timers, board, wake, ended)

    def _steps(
        self,
        lanes: Lanes,
        timers: Timers,
        board: Board,
        wake: Callable[[float, Event], None],
        ended: Callable[[], None],
    ) -> dict[type, Callable[[Any], None]]:
        return {
            **dict.fromkeys((Create, Claim), lanes.runs.put),
            **dict.fromkeys((Record, Report), lanes.outcomes.put),
            **dict.fromkeys((Join, Beat, Leave, MirrorView), lanes.leases.put),
            **dict.fromkeys((ReadSpecs, ReadPinned, Decline, ForgetDeclines), lanes.specs.put),
            **dict.fromkeys((ReadPending, CloseUnrunnable), lanes.pending.put),
            TakeOver: lanes.takeovers.put,
            Pull: lanes.pulls.put,
            Alert: lanes.alerts.put,
            SayDraining: self._say_draining,
            SaySkewed: lambda action: self._coordination.skewed(action.skewed),
            Enter: self._enter,
            End: lambda _: ended(),
            Launch: self._launch,
            Halt: lambda action: self._workers.stop(action.key, action.claim_no, action.kill_after_s),
            TakeBack: lambda action: self._workers.take_back(action.key, action.claim_no),
            HaltAll: self._halt_all,
            Resize: lambda action: self._workers.resize(action.workers),
            ArmTimer: lambda action: timers.arm(action.key, action.at),
            DisarmTimer: lambda action: timers.disarm(action.key),
            RebuildTimers: lambda _: timers.rebuild(),
            Wake: lambda action: wake(action.at_mono, action.event),
            Tell: lambda action: board.tell(action.fact),
        }

    def perform(self, action: Action) -> None:
        """Hand it over."""
        self._table[type(action)](action)

    def ended(self, key: AttemptKey, claim_no: int) -> None:
        """The workers are done with this claim of an attempt; a newer one may have been launched meanwhile."""
        if self._launched.get(key) == claim_no:
            del self._launched[key]

    def _launch(self, action: Launch) -> None:
        self._launched[action.claimed.key] = action.claimed.claim_no
        self._workers.submit(self._orders.order_of(action))

    def _halt_all(self, action: HaltAll) -> None:
        for key, claim_no in self._launched.items():
            self._workers.stop(key, claim_no, 0.0)

    def _say_draining(self, action: SayDraining) -> None:
        self._coordination.draining(action.draining)
        self._leases.put(action)

    def _enter(self, action: Enter) -> None:
        self._coordination.enter(action.incarnation)
        self._duties.enter(action.incarnation)
