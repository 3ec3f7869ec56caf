"""Creations on their way out (rule 3): at once while there is room for their items, else a little later.

An item that is claimed with its run's creation costs the store next to nothing; claimed afterwards, as much as the
creation did. So a run of which all items are this node's, and for which nobody else waits, is created when there is
room for it. That is soon, while tasks are short. While they are long, so many go out without room in each period: what
they leave PENDING is for others to take.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from datetime import timedelta

from shardkeeper.domain.attempts import CreateRun
from shardkeeper.domain.planner.actions import Action, Create, Wake
from shardkeeper.domain.planner.events import CreateOn, Moment
from shardkeeper.domain.planner.mind import Mind

PERIODS = 20
"""In so many periods most of what waits goes out without room."""
PATIENT = timedelta(seconds=10)
"""A job whose fires are missed sooner than this waits for no room."""
SHARE = 4
"""A batch goes out when there is room for this share of what is claimed ahead: one call for each is dear."""


class CreationQueue:
    """Asks for as many items of each run as there is room for."""

    def __init__(self, mind: Mind) -> None:
        self._mind = mind
        self._waiting: deque[CreateRun] = deque()
        self._sent = 0
        """In this period."""
        self._ticks = False

    def put(self, request: CreateRun, moment: Moment) -> list[Action]:
        """Send it, or keep it for when there is room."""
        if not self._may_wait(request):
            return [self._send(request)]
        if not self._waiting and self._mind.holdings.room > 0:
            return [self._create(request)]
        self._waiting.append(request)
        return self._tick(moment)

    def go_on(self) -> list[Action]:
        """There may be room by now."""
        holdings = self._mind.holdings
        if not self._waiting or not self._mind.creates:
            return []
        if holdings.room < min(len(self._waiting), max(1, holdings.ahead // SHARE)):
            return []
        actions: list[Action] = []
        while self._waiting and holdings.room > 0:
            actions.append(self._create(self._waiting.popleft()))
        return actions

    def due(self, moment: Moment) -> list[Action]:
        """A period is over: so many are to have gone out in it, with room or without; of many waiting, a share, lest
        they get too old."""
        self._ticks = False
        actions: list[Action] = []
        piece = max(self._mind.settings.create_piece, (self._sent + len(self._waiting)) // PERIODS)
        while self._waiting and self._sent < piece:
            actions.append(self._create(self._waiting.popleft()))
        self._sent = 0
        return [*actions, *self._tick(moment)] if self._waiting else actions

    def drop(self) -> list[CreateRun]:
        """Forget those that wait; which they were."""
        dropped = list(self._waiting)
        self._waiting.clear()
        return dropped

    def _may_wait(self, request: CreateRun) -> bool:
        """Whether nobody else waits for the run, it takes room, and it need not be there soon."""
        if not request.create or len(request.claim_items) != request.sharding_total_count:
            return False
        job = self._mind.catalog.job_version(request.job_version)
        return job is not None and not job.spec.limited and job.spec.misfire_grace >= PATIENT

    def _create(self, request: CreateRun) -> Action:
        self._sent += 1
        return self._send(request)

    def _send(self, request: CreateRun) -> Action:
        wanted = len(request.claim_items)
        granted = self._mind.holdings.reserve(wanted)
        if granted < wanted:
            request = replace(request, claim_items=request.claim_items[:granted])
        return Create(self._mind.incarnation, request)

    def _tick(self, moment: Moment) -> list[Action]:
        if self._ticks:
            return []
        self._ticks, self._sent = True, 0
        return [Wake(moment.mono + self._mind.settings.create_period_s, CreateOn())]
