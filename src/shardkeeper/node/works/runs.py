"""Creating runs, claiming attempts and pulling them: the lanes on which lateness depends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TypeVar

from shardkeeper.domain.attempts import CreateRun
from shardkeeper.domain.errors import PartlyUnanswered, StoreUnavailable
from shardkeeper.domain.planner.actions import Claim, Create, Pull
from shardkeeper.domain.planner.events import (
    ClaimsAnswered,
    Event,
    Pulled,
    RunsAnswered,
    RunsUnanswered,
    StoreAway,
)
from shardkeeper.domain.runs import AttemptKey
from shardkeeper.node.lanes import Done
from shardkeeper.ports.runs import RunStore

A = TypeVar("A", Create, Claim)


class RunsWork:
    """Creations that were gathered go out as one call, in the order of their incarnations.

    What is due goes first; of fires that are still to come those of the next instant, for which the store waits.
    """

    most = 500

    def __init__(self, store: RunStore, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now

    def run(self, actions: Sequence[Create]) -> Done[Create]:
        """See Work. Each call answers for itself: what was answered before another failed is not lost."""
        events: list[Event] = []
        until = max(self._now(), min(one.request.fire_time for one in actions))
        for incarnation, mine in _by_incarnation(actions):
            requests = [one.request for one in mine if one.request.fire_time <= until]
            while requests:
                batch, requests = _one_per_job(requests)
                events += self._create(incarnation, batch)
        return Done(events, [one for one in actions if one.request.fire_time > until])

    def _create(self, incarnation: str, batch: list[CreateRun]) -> list[Event]:
        """Not tried again here when the store is away: the next beat that is answered looks back."""
        try:
            return [RunsAnswered(incarnation, tuple(batch), tuple(self._store.create(incarnation, batch)))]
        except PartlyUnanswered as error:
            asked = list(zip(batch, error.answers, strict=True))
            answered = [(request, answer) for request, answer in asked if answer is not None]
            unanswered = tuple(request for request, answer in asked if answer is None)
            requests, answers = zip(*answered, strict=True) if answered else ((), ())
            return [
                RunsAnswered(incarnation, requests, answers),
                StoreAway(str(error)),
                RunsUnanswered(incarnation, unanswered),
            ]
        except StoreUnavailable as error:
            return [StoreAway(str(error)), RunsUnanswered(incarnation, tuple(batch))]


class ClaimsWork:
    """Claims that were gathered go out as one call. On a lane of their own: what a burst of creations leaves PENDING
    begins while the rest of it is still being created."""

    most = 500

    def __init__(self, store: RunStore) -> None:
        self._store = store

    def run(self, actions: Sequence[Claim]) -> Done[Claim]:
        """See Work. Not tried again: what landed all the same is found by reconciling."""
        events: list[Event] = []
        for incarnation, mine in _by_incarnation(actions):
            events += self._claim(incarnation, [key for one in mine for key in one.keys])
        return Done(events)

    def _claim(self, incarnation: str, keys: list[AttemptKey]) -> list[Event]:
        try:
            return [ClaimsAnswered(incarnation, tuple(keys), tuple(self._store.claim(incarnation, keys)))]
        except StoreUnavailable as error:
            return [StoreAway(str(error)), ClaimsAnswered(incarnation, tuple(keys), ())]


class PullsWork:
    """Pulls go out one by one: the planner has one under way. On a lane of their own, since a large one would hold up
    the creations of fires."""

    most = 1

    def __init__(self, store: RunStore) -> None:
        self._store = store

    def run(self, actions: Sequence[Pull]) -> Done[Pull]:
        """See Work. Not tried again: what landed all the same is found by reconciling."""
        (pull,) = actions
        try:
            claimed = tuple(self._store.pull(pull.incarnation, pull.most, pull.not_jobs))
        except StoreUnavailable as error:
            return Done([StoreAway(str(error)), Pulled(pull.incarnation, pull.most, None)])
        return Done([Pulled(pull.incarnation, pull.most, claimed)])


def _by_incarnation(actions: Sequence[A]) -> Iterator[tuple[str, list[A]]]:
    """What each incarnation asks, in the order of their first words."""
    for incarnation in dict.fromkeys(action.incarnation for action in actions):
        yield incarnation, [action for action in actions if action.incarnation == incarnation]


def _one_per_job(requests: list[CreateRun]) -> tuple[list[CreateRun], list[CreateRun]]:
    """The first request of each job, and the rest: one fire per job in a batch."""
    first: dict[str, CreateRun] = {}
    rest: list[CreateRun] = []
    for request in requests:
        if first.setdefault(request.job_name, request) is not request:
            rest.append(request)
    return list(first.values()), rest
