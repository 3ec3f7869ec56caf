"""The LeaseStore on PostgreSQL: each method is one call of a function of ``sql/0001/05*.sql``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shardkeeper.domain.leases import (
    BeatAnswer,
    Held,
    JoinAnswer,
    Lease,
    LeaseState,
    Registration,
    TakeoverAnswer,
)
from shardkeeper.domain.runs import AttemptKey
from shardkeeper.domain.view import Member, View
from shardkeeper.postgres.connection import Connection
from shardkeeper.postgres.rows import as_json, instant

JOIN = "SELECT shardkeeper.join_cluster(%s, %s, %s, %s::int, %s::float8, %s::jsonb, %s)"
BEAT = "SELECT shardkeeper.beat(%s)"
DRAIN = "SELECT shardkeeper.drain_lease(%s, %s)"
LEAVE = "SELECT shardkeeper.leave_cluster(%s)"
TAKE_OVER = "SELECT taken, lost, reissued FROM shardkeeper.take_over(%s, %s, %s::bigint)"
MIRROR = "SELECT shardkeeper.mirror_view(%s, %s::bigint, %s::jsonb)"


class PostgresLeases:
    """See ``ports.leases.LeaseStore``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def join(self, who: Registration) -> JoinAnswer:
        answer = self._one(
            JOIN,
            who.node_id,
            who.incarnation,
            who.host,
            who.pid,
            who.weight,
            as_json(who.labels),
            who.version,
        )
        before = answer["predecessor"]
        return JoinAnswer(
            answer["joined"], None if before is None else _lease(before), instant(answer["now"])
        )

    def beat(self, incarnation: str) -> BeatAnswer:
        answer = self._one(BEAT, incarnation)
        return BeatAnswer(
            answer["alive"],
            tuple(map(_lease, answer["leases"])),
            tuple(map(_held, answer["held"])),
            answer["drain"],
            answer["workers"],
            None if answer["mirrored"] is None else view_of(answer["mirrored"]),
            instant(answer["now"]),
        )

    def drain(self, incarnation: str, draining: bool = True) -> bool:
        return bool(self._one(DRAIN, incarnation, draining))

    def leave(self, incarnation: str) -> bool:
        return bool(self._one(LEAVE, incarnation))

    def take_over(self, taker: str, dead: str, beat: int) -> TakeoverAnswer:
        ((taken, lost, reissued),) = self._connection.fetch(TAKE_OVER, (taker, dead, beat))
        return TakeoverAnswer(taken, lost, reissued)

    def mirror_view(self, view: View) -> None:
        self._one(MIRROR, view.lineage, view.epoch, as_json(_view_json(view)))

    def _one(self, query: str, *parameters: object) -> Any:
        ((answer,),) = self._connection.fetch(query, parameters)
        return answer


def _lease(columns: Mapping[str, Any]) -> Lease:
    state = LeaseState(columns["state"])
    return Lease(columns["node_id"], columns["incarnation"], columns["beat"], state, columns["labels"])


def _held(columns: Mapping[str, Any]) -> Held:
    key = AttemptKey(columns["run_id"], instant(columns["fire_time"]), columns["item"], columns["attempt"])
    return Held(key, columns["claim_no"], columns["job_name"], columns["stop_requested"])


def _view_json(view: View) -> dict[str, Any]:
    return {
        "lineage": view.lineage,
        "epoch": view.epoch,
        "published_by": view.published_by,
        "published_at": view.published_at.isoformat(),
        "members": [
            {
                "node_id": each.node_id,
                "incarnation": each.incarnation,
                "weight": each.weight,
                "labels": dict(each.labels),
            }
            for each in view.members
        ],
    }


def view_of(columns: Mapping[str, Any]) -> View:
    """The view that ``mirror_view`` wrote."""
    return View(
        columns["lineage"],
        columns["epoch"],
        columns["published_by"],
        tuple(
            Member(each["node_id"], each["incarnation"], each["weight"], each["labels"])
            for each in columns["members"]
        ),
        instant(columns["published_at"]),
    )
