"""Who could take work at an instant: incarnations that live and do not drain, with room, labels and code."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from shardkeeper.domain.view import matches
from shardkeeper.memory.history import Entry, What
from shardkeeper.memory.rows import Run
from shardkeeper.simulation.checker.held import Held, process_of
from shardkeeper.simulation.world import World


class Takers:
    """Told each happening in turn (``take_in``)."""

    def __init__(self, world: World, held: Held) -> None:
        self._world = world
        self._held = held
        self.living: set[str] = set()

    def take_in(self, entry: Entry) -> None:
        """Go on by one happening."""
        if entry.what in (What.JOINED, What.ACTIVE) and entry.incarnation is not None:
            self.living.add(entry.incarnation)
        elif entry.what in (What.DRAINING, What.LEFT, What.TAKEN_OVER) and entry.incarnation is not None:
            self.living.discard(entry.incarnation)

    def with_room(self, at: datetime) -> list[str]:
        """Of those that hold fewer attempts than they have workers, the names in order."""
        return [name for name in sorted(self.living) if self._has_room(name, at)]

    def able(self, names: list[str], run: Run) -> Iterator[str]:
        """Of these, who can run it: has the labels, by the pinned version and by the newest, and has not declined."""
        database = self._world.database
        newest = [one.terms for one in database.job_versions[run.job_name] if one.terms is not None]
        declined = {node_id for node_id, _, _ in database.declined.get(run.job_name, {})}
        for name in names:
            who = database.leases[name].who
            fits = all(matches(who.labels, terms.node_selector) for terms in (run.terms, *newest[-2:]))
            if fits and who.node_id not in declined:
                yield name

    def _has_room(self, incarnation: str, at: datetime) -> bool:
        workers = self._held.capacity(process_of(incarnation), at, at)
        return len(self._held.by_incarnation.get(incarnation, {})) < workers
