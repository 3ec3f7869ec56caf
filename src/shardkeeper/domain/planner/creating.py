"""Asking for the runs of scheduled fires, and going on as each answer says (rule 3).

The owner of the lowest item creates at once, or, where no other node owns one, as soon as there is room
(``creation_queue``). The other owners ask for their items a moment later, and create the run themselves when it is
still not there. Both calls are the same conditional write, so it does not matter who is believed to be the owner. What
was asked for already is not asked again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from shardkeeper.domain.attempts import CreateAnswer, CreateRun, Creation
from shardkeeper.domain.facts import FireLeft, RunCreated
from shardkeeper.domain.planner.actions import Action, Claim, ReadSpecs, Tell, Wake
from shardkeeper.domain.planner.creation_queue import CreationQueue
from shardkeeper.domain.planner.events import (
    CreateDue,
    CreateOn,
    Moment,
    RunsAnswered,
    RunsUnanswered,
    SpecsDue,
)
from shardkeeper.domain.planner.launching import Launching
from shardkeeper.domain.planner.mind import Mind
from shardkeeper.domain.runs import AttemptKey
from shardkeeper.domain.specs import ImplVersion, JobVersion

FireKey = tuple[str, datetime]

RELOAD_AFTER_S = (0.0, 0.1, 0.5, 2.0)
"""Waits before reading a job again whose version the store did not agree with; then the fire is left to the
sweep."""
SHORTEST_WAIT_S = 0.001
_NOTHING: frozenset[int] = frozenset()


class Creating:
    """Remembers which items of which fires inside the on-time window were asked for."""

    def __init__(self, mind: Mind, launching: Launching) -> None:
        self._mind = mind
        self._launching = launching
        self._remembered = timedelta(seconds=2 * mind.settings.on_time_window_s)
        self._queue = CreationQueue(mind)
        self._asked: dict[FireKey, frozenset[int]] = {}
        self._asked_in_order: deque[FireKey] = deque()
        self._reloads: dict[FireKey, int] = {}

    def ask(
        self, version: JobVersion, impl: ImplVersion, fire_time: datetime, moment: Moment
    ) -> list[Action]:
        """Ask for the run of a fire of these versions, or for what this node owns of it: now, or a little later."""
        mind = self._mind
        owned = mind.membership.mine(version.spec)
        creator = mind.membership.is_creator(version.spec, owned)
        mine = owned if (version.version, impl.version) not in mind.declined else ()
        name = version.spec.name
        if not (mine or creator) or not self._newly(name, fire_time, mine):
            return []
        nodes = mind.membership.nodes_of(version.spec)
        total = version.spec.sharding_total_count if nodes is None else len(nodes)
        if total == 0:
            return []
        request = CreateRun(name, fire_time, version.version, impl.version, total, mine, creator, nodes)
        if creator:
            return self._queue.put(request, moment)
        ahead_s = max(0.0, (fire_time - moment.now).total_seconds())
        return [Wake(moment.mono + ahead_s + mind.settings.claim_after_s, CreateDue(request))]

    def create_due(self, event: CreateDue, moment: Moment) -> list[Action]:
        """It is time to ask for a run (again)."""
        if not self._mind.creates:
            self._unask(event.request)
            return []
        return self._queue.put(event.request, moment)

    def create_on(self, event: CreateOn, moment: Moment) -> list[Action]:
        """Go on with what there was no room for; where this node creates no more, a look-back finds it."""
        if not self._mind.creates:
            for request in self._queue.drop():
                self._unask(request)
        return self._queue.due(moment)

    def room_came(self) -> list[Action]:
        """There may be room for what waits to be created."""
        return self._queue.go_on()

    def specs_due(self, event: SpecsDue, moment: Moment) -> list[Action]:
        """The store may know more of these jobs by now."""
        return [ReadSpecs(event.jobs)]

    def answered(self, event: RunsAnswered, moment: Moment) -> list[Action]:
        """Start what was claimed; go on as each answer says."""
        self._mind.holdings.release(sum(len(request.claim_items) for request in event.requests))
        claimed = [one for answer in event.answers for one in answer.claimed]
        actions = self._launching.take(claimed, moment)
        for request, answer in zip(event.requests, event.answers, strict=True):
            actions += self._go_on(request, answer, moment)
        waiting = self._mind.holdings.next_waiting() if self._mind.creates else ()
        if waiting:
            actions.append(Claim(self._mind.incarnation, waiting))
        return actions + self._queue.go_on()

    def unanswered(self, event: RunsUnanswered, moment: Moment) -> list[Action]:
        """The store was away: the look-back that follows its return asks again."""
        for request in event.requests:
            self._mind.holdings.release(len(request.claim_items))
            self._unask(request)
        return []

    def forget(self) -> None:
        """Ask for everything inside the window again (another incarnation, or the store was away)."""
        self._asked.clear()
        self._asked_in_order.clear()
        self._reloads.clear()
        self._queue.drop()

    def forget_old(self, now: datetime) -> None:
        """Fires that nobody asks for any more."""
        horizon = now - self._remembered
        while self._asked_in_order and self._asked_in_order[0][1] < horizon:
            key = self._asked_in_order.popleft()
            self._asked.pop(key, None)
            self._reloads.pop(key, None)

    def _newly(self, name: str, fire_time: datetime, mine: tuple[int, ...]) -> bool:
        """Note that these items are asked for; False when all of them were."""
        key = (name, fire_time)
        before = self._asked.get(key)
        if before is not None and before.issuperset(mine):
            return False
        if before is None:
            self._asked_in_order.append(key)
        self._asked[key] = frozenset(mine)
        return True

    def _go_on(self, request: CreateRun, answer: CreateAnswer, moment: Moment) -> list[Action]:
        match answer.outcome:
            case Creation.CREATED | Creation.EXISTS:
                return self._made(request, answer)
            case Creation.ABSENT:
                wait_s = self._mind.settings.create_after_s - self._mind.settings.claim_after_s
                return [Wake(moment.mono + wait_s, CreateDue(self._whole(request, create=True)))]
            case Creation.EARLY:
                return [
                    Wake(
                        self._again_at(request, answer, moment),
                        CreateDue(self._whole(request, request.create)),
                    )
                ]
            case Creation.NOT_IN_FORCE:
                return self._reload(request, moment)
            case Creation.OLD | Creation.REFUSED:
                return [Tell(FireLeft(request.job_name, request.fire_time, answer.reason or answer.outcome))]
            case Creation.DEAD:
                self._unask(request)
        return []

    def _again_at(self, request: CreateRun, answer: CreateAnswer, moment: Moment) -> float:
        """Of what the store found early: when to ask again by its clock, as much ahead as others are asked for; what is
        nearer than that, and was not waited for, when it is due."""
        wait_s = (request.fire_time - answer.now).total_seconds()
        lead_s = self._mind.settings.lead_s
        return moment.mono + max(SHORTEST_WAIT_S, wait_s - lead_s if wait_s > lead_s else wait_s)

    def _made(self, request: CreateRun, answer: CreateAnswer) -> list[Action]:
        key = (request.job_name, request.fire_time)
        self._reloads.pop(key, None)
        assert answer.run_id is not None, "a run that exists has an id"
        left_out = self._asked.get(key, _NOTHING).difference(self._settled(request, answer))
        if left_out:
            self._mind.holdings.wait(
                AttemptKey(answer.run_id, request.fire_time, item, 1) for item in sorted(left_out)
            )
        if answer.outcome is Creation.EXISTS:
            return []
        late_s = (answer.now - request.fire_time).total_seconds()
        return [Tell(RunCreated(request.job_name, answer.run_id, request.fire_time, late_s))]

    def _settled(self, request: CreateRun, answer: CreateAnswer) -> Iterable[int]:
        """The items for which there is nothing more to ask: creations claim nothing of jobs with limits shared by
        nodes, so of these all but what the answer holds is claimed afterwards."""
        job = self._mind.catalog.job_version(request.job_version)
        if job is None or not job.spec.limited:
            return request.claim_items
        return [one.key.item for one in answer.claimed]

    def _reload(self, request: CreateRun, moment: Moment) -> list[Action]:
        key = (request.job_name, request.fire_time)
        tries = self._reloads.get(key, 0)
        self._reloads[key] = tries + 1
        if tries >= len(RELOAD_AFTER_S):
            return [Tell(FireLeft(request.job_name, request.fire_time, "another version is in force"))]
        self._unask(request)
        return [Wake(moment.mono + RELOAD_AFTER_S[tries], SpecsDue((request.job_name,)))]

    def _whole(self, request: CreateRun, create: bool) -> CreateRun:
        """The request with all items that this node wants of the fire, whatever there was room for."""
        wanted = self._asked.get((request.job_name, request.fire_time), frozenset(request.claim_items))
        return replace(request, claim_items=tuple(sorted(wanted)), create=create)

    def _unask(self, request: CreateRun) -> None:
        self._asked.pop((request.job_name, request.fire_time), None)
