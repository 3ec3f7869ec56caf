"""Leases, members and nodes without a guard (rules 6 to 8, 11 to 13)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from shardkeeper.domain.leases import Lease, LeaseState, TakeoverAnswer
from shardkeeper.domain.planner.actions import (
    Action,
    Wake,
)
from shardkeeper.domain.planner.beating import Beating
from shardkeeper.domain.planner.closing import Closing
from shardkeeper.domain.planner.events import Beaten
from shardkeeper.domain.planner.membership import Membership
from shardkeeper.domain.planner.mind import Standing
from shardkeeper.domain.planner.watch import LeaseWatch
from shardkeeper.domain.view import View
from shardkeeper.memory.database import MemoryDatabase
from shardkeeper.memory.leases import MemoryLeases
from shardkeeper.node.lanes import Done
from shardkeeper.node.node import Node
from shardkeeper.node.works.outcomes import OutcomesWork
from shardkeeper.ports.coordinator import Snapshot
from tests.simulation.habits.common import REAL


def loses_one_item(database: MemoryDatabase, row: Any) -> bool:
    return bool(row.key.item == 0 and REAL["_lose"](database, row))


def lost_is_tried(database: MemoryDatabase, row: Any, now: datetime, *, tries: int, takeovers: int) -> Any:
    return REAL["next_attempt"](database, row, now, tries=tries + 1, takeovers=takeovers)


def lost_for_nothing(database: MemoryDatabase, row: Any, now: datetime, *, tries: int, takeovers: int) -> Any:
    follower = REAL["next_attempt"](database, row, now, tries=tries, takeovers=takeovers)
    follower.takeovers = row.takeovers
    return follower


def gaps_do_not_matter(watch: LeaseWatch, *given: Any) -> list[Lease]:
    watch._longest_gap_s = float("inf")
    lapsed: list[Lease] = REAL["read"](watch, *given)
    return lapsed


def dead_for_a_moment(store: MemoryLeases, taker: str, dead: str, beat: int) -> TakeoverAnswer:
    answer: TakeoverAnswer = REAL["take_over"](store, taker, dead, beat)
    if answer.taken:
        store.database.leases[dead].state = LeaseState.ACTIVE
    return answer


def keeps_its_lease_from_the_answer(beating: Beating, event: Beaten, moment: Any) -> list[Action]:
    kept: list[Action] = REAL["_keep_lease"](beating, replace(event, sent_mono=moment.mono), moment)
    return kept


def believes_one_reading(beating: Beating, answer: Any) -> list[Action]:
    beating._unknown = {held.key: held.claim_no for held in answer.held}
    beating._strange = {one.claimed.key: one.claim_no for one in beating._mind.holdings}
    actions: list[Action] = REAL["_reconcile"](beating, answer)
    return actions


def counts_the(state: LeaseState) -> Callable[..., None]:
    """Members, whose lease says so or not."""

    def see_leases(membership: Membership, rows: Iterable[Lease], stay: bool) -> None:
        seen = (replace(one, state=LeaseState.ACTIVE) if one.state is state else one for one in rows)
        REAL["see_leases"](membership, seen, stay)

    return see_leases


def moves_without_looking_back(beating: Beating, moment: Any) -> list[Action]:
    beating._mind.membership.refresh()
    return []


def finds_the_store_without_looking_back(beating: Beating, moment: Any) -> list[Action]:
    beating._mind.store_here = True
    return []


def forgets_the_view(node: Node, letter: Any) -> None:
    if isinstance(letter, Snapshot) and not letter.connected:
        node._parts.planner.mind.membership._view = None
    REAL["handle"](node, letter)


def sees_no_mirror(beating: Beating, event: Beaten, moment: Any) -> list[Action]:
    answer = replace(event.answer, mirrored=None)
    actions: list[Action] = REAL["beaten"](beating, replace(event, answer=answer), moment)
    return actions


def accepts_its_own_lineage(current: View | None, new: View) -> bool:
    return current is None or (current.lineage == new.lineage and new.epoch > current.epoch)


def drops_what_is_not_answered(work: OutcomesWork, actions: Sequence[Any]) -> Done[Any]:
    done = _real_run(work, actions)
    return replace(done, left=[]) if done.unanswered is not None else done


_real_run = OutcomesWork.run


def beats_until_it_drains(beating: Beating, event: Any, moment: Any) -> list[Action]:
    if beating._mind.standing in (Standing.HANDING_OVER, Standing.DRAINED):
        return [Wake(moment.mono + beating._mind.settings.beat_period_s, event)]
    actions: list[Action] = REAL["due"](beating, event, moment)
    return actions


def stops_what_it_should_give_back(closing: Closing, holding: Any, over: Any, actions: list[Action]) -> Any:
    holding.give_back = False
    return REAL["_decide"](closing, holding, over, actions)


at_once = property(lambda settings: 0.0)
