"""Workers for what jobs ask, before there is an attempt: a process takes longer to start than all that stands between a
fire and its attempt."""

from __future__ import annotations

from shardkeeper.domain.catalog import JobHistory
from shardkeeper.domain.planner.actions import Action, Warm
from shardkeeper.domain.planner.events import SpecsRead
from shardkeeper.domain.planner.mind import Mind
from shardkeeper.domain.specs import Isolation
from shardkeeper.domain.view import matches


class Warming:
    """Knows which isolations no job that may run here has asked for yet."""

    def __init__(self, mind: Mind) -> None:
        self._mind = mind
        self._cold = set(Isolation)

    def specs_read(self, event: SpecsRead) -> list[Action]:
        """Have workers started for each isolation, once: when the first enabled job is read whose ImplSpec has it and
        whose labels this node has."""
        actions: list[Action] = []
        for history in event.jobs.values() if self._cold else ():
            isolation = self._isolation_of(history)
            if isolation in self._cold:
                self._cold.remove(isolation)
                actions.append(Warm(isolation))
        return actions

    def _isolation_of(self, history: JobHistory) -> Isolation | None:
        """None: nothing of it will run here."""
        job = history.last
        if job is None or not job.spec.enabled:
            return None
        impl = self._mind.catalog.newest_impl(job.spec.impl_spec)
        if impl is None or not matches(self._mind.settings.labels, job.spec.node_selector):
            return None
        return impl.impl.isolation
