"""Specs, runs, attempts and the sweep without a guard (rules 1 to 4, 9 and 15)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from shardkeeper.domain.accounting import account_for
from shardkeeper.domain.attempts import Creation
from shardkeeper.domain.catalog import JobHistory
from shardkeeper.domain.planner.actions import (
    Action,
    Launch,
    Wake,
)
from shardkeeper.domain.planner.creating import Creating
from shardkeeper.domain.planner.holdings import Holdings
from shardkeeper.domain.planner.launching import Launching
from shardkeeper.domain.planner.membership import Membership
from shardkeeper.domain.planner.planner import Planner
from shardkeeper.memory import orders
from shardkeeper.memory.authoring import Author
from shardkeeper.memory.database import MemoryDatabase
from shardkeeper.memory.rows import Run
from shardkeeper.node.node import Node, PollSpecs
from shardkeeper.ports.specs import ListenerState
from tests.simulation.habits.common import REAL


def waits_for_room_for_ever(queue: object, moment: object) -> list[Action]:
    return []


def launched_under_the_newest(launching: Launching, holding: Any, actions: list[Action], moment: Any) -> bool:
    launched: bool = REAL["_launch"](launching, holding, actions, moment)
    if launched and isinstance(one := actions[-1], Launch):
        catalog = launching._mind.catalog
        history = catalog.job(one.job.spec.name)
        job = (history.last if history else None) or one.job
        actions[-1] = replace(one, job=job, impl=catalog.newest_impl(job.spec.impl_spec) or one.impl)
    return launched


def swept_through_pauses(version: Any, pauses: object, window: Any) -> object:
    return REAL["_stretches"](version, (), window)


def swept_though_disabled(name: str, history: JobHistory, *rest: Any) -> object:
    versions = tuple(replace(one, spec=replace(one.spec, enabled=True)) for one in history.versions)
    return account_for(name, replace(history, versions=versions), *rest)


def edited_and_resumed(author: Author, name: str, **columns: Any) -> None:
    REAL["put_job"](author, name, **columns)
    orders._end_pause(author._database, name)


def polls_nothing(node: Node, letter: Any) -> None:
    if not isinstance(letter, PollSpecs):
        REAL["handle"](node, letter)


def listens_and_reads_nothing(node: Node, letter: Any) -> None:
    if not isinstance(letter, ListenerState):
        REAL["handle"](node, letter)


def looks_when_told(planner: Planner, event: Any, moment: Any) -> list[Action]:
    return [Wake(moment.mono + planner.mind.settings.pending_period_s, event)]


def without_the_last_item(
    database: MemoryDatabase, run: Run, items: Sequence[int], nodes: Sequence[str] | None = None
) -> Run:
    run_: Run = REAL["insert_run"](database, run, items[:-1] if len(items) > 1 else items, nodes)
    return run_


def deaf_to(kind: Creation) -> Callable[..., list[Action]]:
    """A creator that does not go on after this answer."""

    def go_on(creating: Creating, request: Any, answer: Any, moment: Any) -> list[Action]:
        return [] if answer.outcome is kind else REAL["_go_on"](creating, request, answer, moment)

    return go_on


endless_room = property(lambda holdings: 1_000 if holdings.capacity else 0)


def room_for_all(holdings: Holdings, busy_at: int) -> int:
    return max(1, holdings.capacity)


def owner_or_nobody(membership: Membership, *given: Any) -> int | None:
    return 0 if REAL["rank"](membership, *given) == 0 else None


def everybody_at_once(membership: Membership, *given: Any) -> int | None:
    return None if REAL["rank"](membership, *given) is None else 0


def hopeless_at_once(adoption: Any, unfit: Iterable[Any], mono: float) -> list[Any]:
    return [row.key for row in unfit if row.waiting_s >= adoption._mind.settings.unrunnable_after_s]


def only_members_fit(membership: Membership, spec: Any, declined: Any) -> bool:
    return any(node not in declined for node in membership.roster.eligible(spec.node_selector).node_ids)


def fits_who_has_room(adoption: Any, row: Any, job: Any) -> bool:
    return bool(adoption._mind.holdings.room)


def accounts_by(policy: Any) -> Callable[..., object]:
    """The sweep, whatever the job's misfire policy."""
    return lambda gaps, _, *rest, **more: REAL["account"](gaps, policy, *rest, **more)


def asks_to_stop_and_leaves_it(database: MemoryDatabase, run: Run, reason: str) -> None:
    run.stop_requested, run.reason = True, reason
