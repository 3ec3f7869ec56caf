"""Reading specs: rows become versions here, and what cannot become one is marked or declined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shardkeeper.domain.errors import StoreUnavailable
from shardkeeper.domain.planner.actions import Decline, ForgetDeclines, ReadPinned, ReadSpecs
from shardkeeper.domain.planner.events import Event, PinnedRead, SpecsRead, StoreAway
from shardkeeper.node.histories import HistoryReader, Reading
from shardkeeper.ports.specs import Declined, InvalidMark, SpecRows, SpecStore

SpecAction = ReadSpecs | ReadPinned | Decline | ForgetDeclines
AGAIN_S = 0.5


class SpecsWork:
    """Keeps the token of the last reading of changes; the first reading is of everything."""

    most = 1000

    def __init__(self, store: SpecStore, reader: HistoryReader, node_id: str) -> None:
        self._store = store
        self._reader = reader
        self._node_id = node_id
        self._token: str | None = None
        self._unknown: dict[str, str] = {}
        """Jobs declined for a spec that this version does not know, with what it is."""

    def run(self, actions: Sequence[SpecAction]) -> list[Event]:
        """See Work. All readings asked for become one: what changed since the last."""
        events: list[Event] = []
        for one in actions:
            if isinstance(one, ForgetDeclines):
                self._store.forget_declines(self._node_id)
                self._store.decline(
                    self._declined(self._unknown)
                )  # what code was renewed does not matter to these
            elif isinstance(one, Decline):
                self._store.decline([Declined(one.job_name, self._node_id, one.reason, one.versions)])
        pinned = [one for one in actions if isinstance(one, ReadPinned)]
        if pinned:
            events.append(self._pinned(pinned))
        if any(isinstance(one, ReadSpecs) for one in actions):
            events += self._changes()
        names = dict.fromkeys(name for one in actions if isinstance(one, ReadSpecs) for name in one.jobs)
        if names:
            events.append(self._read(self._store.named(tuple(names), ()), whole=False))
        return events

    def failed(
        self, actions: Sequence[SpecAction], error: StoreUnavailable
    ) -> tuple[list[Event], float | None]:
        """Tried again: a node that missed a change would go on with the old spec."""
        return [StoreAway(str(error))], AGAIN_S

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
        return SpecsRead(jobs, impls, whole)

    def _decline(self, reading: Reading) -> None:
        known = [name for name in self._unknown if name in reading.jobs and name not in reading.unknown]
        if known or reading.unknown:
            self._store.decline(self._declined({**dict.fromkeys(known), **reading.unknown}))
        self._unknown |= reading.unknown
        for name in known:
            del self._unknown[name]

    def _declined(self, reasons: Mapping[str, str | None]) -> list[Declined]:
        return [Declined(name, self._node_id, reason) for name, reason in reasons.items()]

    def _pinned(self, asked: Sequence[ReadPinned]) -> PinnedRead:
        job_versions = tuple(dict.fromkeys(v for one in asked for v in one.job_versions))
        impl_versions = tuple(dict.fromkeys(v for one in asked for v in one.impl_versions))
        return self._reader.read_pinned(
            self._store.pinned(job_versions, impl_versions), job_versions, impl_versions
        )
