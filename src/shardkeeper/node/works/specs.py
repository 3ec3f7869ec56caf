"""Reading specs: rows become versions here, and what cannot become one is marked or declined."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from shardkeeper.domain.errors import StoreUnavailable
from shardkeeper.domain.planner.actions import Decline, ForgetDeclines, ReadPinned, ReadSpecs
from shardkeeper.domain.planner.events import Event, PinnedRead, SpecsRead
from shardkeeper.node.histories import HistoryReader, Reading
from shardkeeper.node.known_specs import KnownSpecs
from shardkeeper.node.lanes import Done
from shardkeeper.node.not_understood import NotUnderstood
from shardkeeper.ports.specs import Declined, InvalidMark, SpecRows, SpecStore

SpecAction = ReadSpecs | ReadPinned | Decline | ForgetDeclines
AGAIN_S = 0.5


class SpecsWork:
    """Keeps the token of the last reading of changes; the first reading is of everything.

    Each round is given all that waits: however many hints there were, what they told is read at once.
    """

    most = sys.maxsize

    def __init__(self, store: SpecStore, reader: HistoryReader, node_id: str, known: KnownSpecs) -> None:
        """``known`` is told of all that is read."""
        self._store = store
        self._reader = reader
        self._node_id = node_id
        self._known = known
        self._token: str | None = None
        self._not_understood = NotUnderstood()

    def run(self, actions: Sequence[SpecAction]) -> Done[SpecAction]:
        """See Work. All readings asked for become one: what changed since the last.

        What was read stays read when a later call fails, and the rest is tried again: a node that missed a change
        would go on with the old spec.
        """
        events: list[Event] = []
        writes = [one for one in actions if isinstance(one, Decline | ForgetDeclines)]
        pinned = [one for one in actions if isinstance(one, ReadPinned)]
        reads = [one for one in actions if isinstance(one, ReadSpecs)]
        try:
            while writes:
                self._write(writes[0])
                del writes[0]
            if pinned:
                events.append(self._pinned(pinned))
                pinned = []
            if reads:
                events += self._changes()
                events += self._named(reads)
        except StoreUnavailable as error:
            return Done(events, [*writes, *pinned, *reads], AGAIN_S, str(error))
        return Done(events)

    def _write(self, action: Decline | ForgetDeclines) -> None:
        if isinstance(action, Decline):
            self._store.decline([Declined(action.job_name, self._node_id, action.reason, action.versions)])
            return
        self._store.forget_declines(self._node_id)
        # that code was renewed does not matter to these
        self._store.decline(self._declined(self._not_understood.told))

    def _named(self, reads: Sequence[ReadSpecs]) -> list[Event]:
        names = tuple(dict.fromkeys(name for one in reads for name in one.jobs))
        return [self._read(self._store.named(names, ()), whole=False)] if names else []

    def _changes(self) -> list[Event]:
        whole = self._token is None
        rows = self._store.load() if self._token is None else self._store.changes(self._token)
        event = self._read(rows, whole)
        self._token = rows.token
        return [event] if whole or event.jobs or event.impls else []

    def _read(self, rows: SpecRows, whole: bool) -> SpecsRead:
        """Versions found invalid are marked, and their names read again: the last valid version stays in force."""
        reading = self._reader.read(rows)
        jobs, impls = dict(reading.jobs), dict(reading.impls)
        marked: set[InvalidMark] = set()
        while fresh := [mark for mark in reading.invalid if mark not in marked]:
            self._store.mark_invalid(fresh)
            marked.update(fresh)
            again = self._store.named(
                tuple(mark.name for mark in fresh if not mark.of_impl),
                tuple(mark.name for mark in fresh if mark.of_impl),
            )
            self._decline(reading)
            reading = self._reader.read(again)
            jobs.update(reading.jobs)
            impls.update(reading.impls)
        self._decline(reading)
        self._known.learn(jobs, whole)
        return SpecsRead(jobs, impls, whole)

    def _decline(self, reading: Reading) -> None:
        changes = self._not_understood.changes(reading)
        if changes:
            self._store.decline(self._declined(changes))
            self._not_understood.tell(changes)

    def _declined(self, reasons: Mapping[str, str | None]) -> list[Declined]:
        return [Declined(name, self._node_id, reason) for name, reason in reasons.items()]

    def _pinned(self, asked: Sequence[ReadPinned]) -> PinnedRead:
        job_versions = tuple(dict.fromkeys(v for one in asked for v in one.job_versions))
        impl_versions = tuple(dict.fromkeys(v for one in asked for v in one.impl_versions))
        return self._reader.read_pinned(
            self._store.pinned(job_versions, impl_versions), job_versions, impl_versions
        )
