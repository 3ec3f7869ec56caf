"""Habits that do nothing, and the real functions that others go on from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shardkeeper.domain import accounting
from shardkeeper.domain.planner.actions import (
    Action,
)
from shardkeeper.domain.planner.beating import Beating
from shardkeeper.domain.planner.closing import Closing
from shardkeeper.domain.planner.creating import Creating
from shardkeeper.domain.planner.launching import Launching
from shardkeeper.domain.planner.lifecycle import Lifecycle
from shardkeeper.domain.planner.membership import Membership
from shardkeeper.domain.planner.watch import LeaseWatch
from shardkeeper.memory import creation, leases
from shardkeeper.memory.authoring import Author
from shardkeeper.memory.leases import MemoryLeases
from shardkeeper.node.node import Node

REAL: dict[str, Any] = {
    name: getattr(owner, name)
    for owner, name in (
        (Author, "put_job"),
        (Beating, "_keep_lease"),
        (Beating, "_reconcile"),
        (Beating, "beaten"),
        (Beating, "due"),
        (Closing, "_decide"),
        (Creating, "_go_on"),
        (Launching, "_launch"),
        (LeaseWatch, "read"),
        (Lifecycle, "found_dead"),
        (Lifecycle, "join_answered"),
        (Membership, "rank"),
        (Membership, "see_leases"),
        (MemoryLeases, "take_over"),
        (Node, "handle"),
        (accounting, "_stretches"),
        (accounting, "account"),
        (creation, "insert_run"),
        (leases, "_lose"),
        (leases, "next_attempt"),
    )
}
"""By name, as they are before any of them is replaced."""


def nothing(*_: object) -> list[Any]:
    return []


def no(*_: object, **__: object) -> None:
    return None


def yes(*_: object) -> bool:
    return True


def never(*_: object) -> bool:
    return False


def without(name: str, *kinds: type) -> Callable[..., list[Action]]:
    """The function of this name, whose actions of these kinds are left out."""
    return lambda *given: [one for one in REAL[name](*given) if not isinstance(one, kinds)]
