"""What this node knows of jobs by the numbers of their versions, for whoever is told only these."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from shardkeeper.domain.accounting import may_fire
from shardkeeper.domain.catalog import JobHistory
from shardkeeper.domain.cron import is_spread
from shardkeeper.domain.specs import JobSpec
from shardkeeper.ports.duties import Glanced

NEVER = datetime.max.replace(tzinfo=UTC)


class KnownSpecs:
    """Written by the lane that reads specs, and read by that of the sweep. A version never changes, so it does not
    matter how old this knowledge is: what is not known is read."""

    def __init__(self) -> None:
        self._histories: dict[str, JobHistory] = {}
        self._window = _Window(NEVER, NEVER)

    def __len__(self) -> int:
        """How many jobs are known."""
        return len(self._histories)

    def learn(self, jobs: Mapping[str, JobHistory], whole: bool) -> None:
        """Histories that were read; ``whole``: of all jobs that there are. A job that is gone, or comes to be so, is
        not kept: while it matters to a sweep it is read."""
        if whole:
            self._histories = {}
        for name, history in jobs.items():
            if history.last is not None:
                self._histories[name] = history
            else:
                self._histories.pop(name, None)

    def with_fires(self, since: datetime, until: datetime, glanced: Sequence[Glanced]) -> list[str]:
        """Of these jobs those that may have a fire after ``since`` and up to ``until``, in their order (see
        ``ports.duties.Choose``). Quick, as it is asked about all jobs again and again."""
        if self._window.bounds != (since, until):
            self._window = _Window(since, until)
        has_fire, histories = self._window.has_fire, self._histories
        return [
            name
            for name, versions in glanced
            if (history := histories.get(name)) is None or _any(has_fire, history, versions)
        ]


class _Window:
    """Works out each schedule that many jobs share once."""

    def __init__(self, since: datetime, until: datetime) -> None:
        self.bounds = since, until
        self._shared: dict[str | timedelta, bool] = {}

    def has_fire(self, spec: JobSpec) -> bool:
        shared = spec.cron or spec.every
        found = self._shared.get(shared) if shared is not None else None
        if found is None:
            found = may_fire(spec, *self.bounds)
            if shared is not None and _is_whole(spec):
                self._shared[shared] = found
        return found


def _is_whole(spec: JobSpec) -> bool:
    """Whether it fires whenever its schedule says so, and any job of that schedule as well."""
    own = spec.cron is not None and is_spread(spec.cron)
    return spec.enabled and spec.starts_at is None and spec.ends_at is None and not own


def _any(has_fire: Callable[[JobSpec], bool], history: JobHistory, versions: Sequence[int]) -> bool:
    """Whether one of these versions has one, or is not known."""
    held = history.versions
    if len(held) == len(versions) == 1 and held[0].version == versions[0]:
        return has_fire(held[0].spec)
    specs = {one.version: one.spec for one in held}
    return any(version not in specs or has_fire(specs[version]) for version in versions)
