"""Creating runs and claiming attempts: the lane on which lateness depends."""

from __future__ import annotations

from collections.abc import Sequence

from shardkeeper.domain.attempts import Claimed, CreateAnswer, CreateRun
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
        """See Work."""
        events: list[Event] = []
        for incarnation in dict.fromkeys(action.incarnation for action in actions):
            mine = [action for action in actions if action.incarnation == incarnation]
            events += self._create(incarnation, [one.request for one in mine if isinstance(one, Create)])
            events += self._claim(
                incarnation, [key for one in mine if isinstance(one, Claim) for key in one.keys]
            )
        return events

    def failed(
        self, actions: Sequence[Create | Claim], error: StoreUnavailable
    ) -> tuple[list[Event], float | None]:
        """Not tried again here: the next beat that is answered reconciles, and looks back."""
        requests = tuple(one.request for one in actions if isinstance(one, Create))
        keys = tuple(key for one in actions if isinstance(one, Claim) for key in one.keys)
        events: list[Event] = [StoreAway(str(error))]
        if requests:
            events.append(RunsUnanswered(requests))
        if keys:
            events.append(ClaimsAnswered(keys, ()))
        return events, None

    def _create(self, incarnation: str, requests: list[CreateRun]) -> list[Event]:
        events: list[Event] = []
        while requests:
            batch, requests = _one_per_job(requests)
            answers: list[CreateAnswer] = self._store.create(incarnation, batch)
            events.append(RunsAnswered(tuple(batch), tuple(answers)))
        return events

    def _claim(self, incarnation: str, keys: list[AttemptKey]) -> list[Event]:
        if not keys:
            return []
        claimed: list[Claimed] = self._store.claim(incarnation, keys)
        return [ClaimsAnswered(tuple(keys), tuple(claimed))]


def _one_per_job(requests: list[CreateRun]) -> tuple[list[CreateRun], list[CreateRun]]:
    """The first request of each job, and the rest: one fire per job in a batch."""
    first: dict[str, CreateRun] = {}
    rest: list[CreateRun] = []
    for request in requests:
        if first.setdefault(request.job_name, request) is not request:
            rest.append(request)
    return list(first.values()), rest
