"""What the znodes hold: small JSON objects with a format number.

Reading is wary: a znode may have been filled by hand, by another program or by a newer version. Whatever is
not understood raises `Unreadable` with a reason for people; keys that are not known are passed over, so
that a newer version may add some without raising the format number.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar

from shardkeeper.domain.errors import ShardkeeperError
from shardkeeper.domain.view import Member, View
from shardkeeper.ports.coordinator import Load, NodeInfo, NodeState

_Enum = TypeVar("_Enum", bound=StrEnum)

FORMAT = 1
NODE_LIMIT = 64 * 1024
"""Bytes of one `/nodes` znode; every node reads every other's."""
VIEW_LIMIT = 900 * 1024
"""Bytes of `/view`. ZooKeeper drops the link of whoever sends more than 1 MiB (`jute.maxbuffer`), which
looks like a fault of the net, to be tried again; so the size is looked at before."""


class Unreadable(ShardkeeperError):
    """A znode does not hold what it should."""


def encode_node(info: NodeInfo) -> bytes:
    """The content of `/nodes/<node_id>`."""
    return _dump(
        {
            "node_id": info.node_id,
            "incarnation": info.incarnation,
            "host": info.host,
            "pid": info.pid,
            "version": info.version,
            "weight": info.weight,
            "labels": dict(info.labels),
            "state": info.state.value,
            "load": info.load.value,
            "applied_epoch": info.applied_epoch,
            "addresses": dict(info.addresses),
            "code_version": info.code_version,
            "restarts": info.restarts,
        }
    )


def decode_node(data: bytes, node_id: str) -> NodeInfo:
    """Read `/nodes/<node_id>`; raises `Unreadable`, also when it speaks of another node."""
    found = _load(data)
    if _text(found, "node_id") != node_id:
        raise Unreadable(f"it speaks of node {found['node_id']!r}")
    return NodeInfo(
        node_id=node_id,
        incarnation=_named(found, "incarnation"),
        host=_text(found, "host"),
        pid=_whole(found, "pid"),
        version=_text(found, "version"),
        weight=_weight(found),
        labels=_texts(found, "labels"),
        state=_one_of(NodeState, found, "state"),
        load=_one_of(Load, found, "load"),
        applied_epoch=_whole(found, "applied_epoch"),
        addresses=_texts(found, "addresses"),
        code_version=_text(found, "code_version"),
        restarts=_whole(found, "restarts") if "restarts" in found else 0,
    )


def encode_candidate(node_id: str, incarnation: str) -> bytes:
    """The content of `/candidates/<seq>`."""
    return _dump({"node_id": node_id, "incarnation": incarnation})


def decode_candidate(data: bytes) -> tuple[str, str]:
    """node_id and incarnation of a candidate; raises `Unreadable`."""
    found = _load(data)
    return _named(found, "node_id"), _named(found, "incarnation")


def encode_view(view: View) -> bytes:
    """The content of `/view`."""
    members = [
        {"node_id": m.node_id, "incarnation": m.incarnation, "weight": m.weight, "labels": dict(m.labels)}
        for m in view.members
    ]
    return _dump(
        {
            "lineage": view.lineage,
            "epoch": view.epoch,
            "published_by": view.published_by,
            "published_at": view.published_at.astimezone(UTC).isoformat(),
            "members": members,
        }
    )


def decode_view(data: bytes) -> View:
    """Read `/view`; raises `Unreadable`."""
    found = _load(data)
    members = found.get("members")
    if not isinstance(members, list) or not all(isinstance(member, dict) for member in members):
        raise Unreadable("members is not a list of objects")
    return View(
        lineage=_named(found, "lineage"),
        epoch=_whole(found, "epoch"),
        published_by=_text(found, "published_by"),
        members=tuple(_member(member) for member in members),
        published_at=_instant(found, "published_at"),
    )


def _member(found: Mapping[str, Any]) -> Member:
    return Member(
        node_id=_named(found, "node_id"),
        incarnation=_named(found, "incarnation"),
        weight=_weight(found),
        labels=_texts(found, "labels"),
    )


def _dump(content: dict[str, Any]) -> bytes:
    return json.dumps({"format": FORMAT, **content}, separators=(",", ":"), allow_nan=False).encode()


def _load(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Unreadable("it is not JSON") from error
    if not isinstance(found, dict):
        raise Unreadable("it is not a JSON object")
    if found.get("format") != FORMAT:
        raise Unreadable(f"its format is {found.get('format')!r}, this version knows {FORMAT}")
    return found


def _text(found: Mapping[str, Any], key: str) -> str:
    value = found.get(key)
    if not isinstance(value, str):
        raise Unreadable(f"{key} is not a text")
    return value


def _named(found: Mapping[str, Any], key: str) -> str:
    if not (value := _text(found, key)):
        raise Unreadable(f"{key} is empty")
    return value


def _whole(found: Mapping[str, Any], key: str) -> int:
    value = found.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise Unreadable(f"{key} is not a whole number from 0")
    return value


def _weight(found: Mapping[str, Any]) -> float:
    value = found.get("weight")
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise Unreadable("weight is not a number")
    if not 0 < value <= 1e9 or not math.isfinite(value):
        raise Unreadable("weight is not above 0 and finite")
    return float(value)


def _texts(found: Mapping[str, Any], key: str) -> dict[str, str]:
    value = found.get(key)
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise Unreadable(f"{key} is not an object of texts")
    return value


def _one_of(kind: type[_Enum], found: Mapping[str, Any], key: str) -> _Enum:
    try:
        return kind(_text(found, key))
    except ValueError as error:
        raise Unreadable(f"{key} is none of {', '.join(kind)}") from error


def _instant(found: Mapping[str, Any], key: str) -> datetime:
    try:
        value = datetime.fromisoformat(_text(found, key))
    except ValueError as error:
        raise Unreadable(f"{key} is not an instant") from error
    if value.tzinfo is None:
        raise Unreadable(f"{key} has no time zone")
    return value.astimezone(UTC)
