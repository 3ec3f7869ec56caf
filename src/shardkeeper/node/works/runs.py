"""Creating runs and claiming attempts: the lane on which lateness depends."""

from __future__ import annotations

from collections.abc import Sequence

from shardkeeper.domain.attempts import CreateRun
from shardkeeper.domain.errors import StoreUnavailable
from shardkeeper.domain.planner.actions import Claim, Create
from shardkeeper.domain.planner.events import ClaimsAnswered, Event, RunsAnswered, RunsUnanswered, StoreAway
from shardkeeper.domain.runs import AttemptKey
from shardkeeper.ports.runs import RunStore


class RunsWork:
    """Creations and claims that were gathered go out as one call each, in the order of their incarnations."""

    most = 500

    def __init__(self, store: RunStore) -> None:
        self._store = store

    def run(self, actions: Sequence[Create | Claim]) -> list[Event]:
        """See Work. Each call answers for itself: what was answered before another failed is not lost."""
        events: list[Event] = []
        for incarnation in dict.fromkeys(action.incarnation for action in actions):
            mine = [action for action in actions if action.incarnation == incarnation]
            requests = [one.request for one in mine if isinstance(one, Create)]
            while requests:
                batch, requests = _one_per_job(requests)
                events += self._create(incarnation, batch)
            if keys := [key for one in mine if isinstance(one, Claim) for key in one.keys]:
                events += self._claim(incarnation, keys)
        return events

    def failed(
        self, actions: Sequence[Create | Claim], error: StoreUnavailable
    ) -> tuple[list[Event], float | None]:
        """Never called: ``run`` answers for each call."""
        raise error

    def _create(self, incarnation: str, batch: list[CreateRun]) -> list[Event]:
        """Not tried again here when the store is away: the next beat that is answered looks back."""
        try:
            return [RunsAnswered(tuple(batch), tuple(self._store.create(incarnation, batch)))]
        except StoreUnavailable as error:
            return [StoreAway(str(error)), RunsUnanswered(tuple(batch))]

    def _claim(self, incarnation: str, keys: list[AttemptKey]) -> list[Event]:
        """Not tried again either: what landed all the same is found by reconciling."""
        try:
            return [ClaimsAnswered(tuple(keys), tuple(self._store.claim(incarnation, keys)))]
        except StoreUnavailable as error:
            return [StoreAway(str(error)), ClaimsAnswered(tuple(keys), ())]


def _one_per_job(requests: list[CreateRun]) -> tuple[list[CreateRun], list[CreateRun]]:
    """The first request of each job, and the rest: one fire per job in a batch."""
    first: dict[str, CreateRun] = {}
    rest: list[CreateRun] = []
    for request in requests:
        if first.setdefault(request.job_name, request) is not request:
            rest.append(request)
    return list(first.values()), rest
