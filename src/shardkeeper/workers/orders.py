"""What is sent to a worker for an order, and how an attempt is named among the flights."""

from __future__ import annotations

from shardkeeper.domain.runs import AttemptKey
from shardkeeper.ports.workers import AttemptOrder
from shardkeeper.workers.flight import Check, Flight
from shardkeeper.workers.frames import Message


def identity(flight: Flight) -> tuple[AttemptKey, int]:
    assert isinstance(flight.order, AttemptOrder)
    return flight.order.key, flight.order.claim_no


def message_of(flight: Flight) -> Message:
    order = flight.order
    if isinstance(order, Check):
        return {"t": "check", "seq": flight.seq, "kind": order.kind, "entrypoint": order.entrypoint}
    message: Message = {
        "t": "run",
        "seq": flight.seq,
        "slot": flight.slot,
        "kind": order.kind,
        "entrypoint": order.entrypoint,
        "context": order.context,
        "result_limit": order.result_limit_bytes,
    }
    if order.memory_limit_bytes is not None:
        message["memory_limit"] = order.memory_limit_bytes
    if order.timeout_s is not None:
        message["timeout_s"] = order.timeout_s
    if order.phase_timeouts_s:
        message["phases"] = True
    if order.compensates:
        message["compensates"] = True
    return message
