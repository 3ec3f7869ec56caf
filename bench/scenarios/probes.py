"""Probes: jobs of one fire each, at short distances, so that something is due at nearly every instant of a while."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shardkeeper.domain.roster import Roster
from shardkeeper.domain.sharding import owner
from shardkeeper.domain.specs import Strategy
from shardkeeper.domain.view import Member

LEAD_MS = 300
"""Before the first of them is due: it must be known by then."""
INSERT = """
insert into shardkeeper.job_spec (name, impl_spec, run_at)
select %s || n, 'noop', clock_timestamp() + (%s + n * %s) * interval '1 ms' from generate_series(1, %s) n
"""
READ = """
select s.job_name, s.fire_time, s.node_id, s.started_at from shardkeeper.shard_run s
 where s.job_name like %s and s.started_at is not null order by s.started_at
"""


@dataclass(frozen=True, slots=True)
class Begun:
    """One that was run: which, when it was due, where and when it began."""

    name: str
    due: datetime
    node: str
    at: datetime

    @property
    def late_s(self) -> float:
        """Seconds from its fire time to its beginning."""
        return (self.at - self.due).total_seconds()


def insert_probes(connection: Any, prefix: str, count: int, every_ms: int) -> None:
    """``<prefix>1`` and so on, one due each ``every_ms`` from LEAD_MS on, committed at once."""
    connection.execute(INSERT, (prefix, LEAD_MS, every_ms, count))


def begun(connection: Any, prefix: str) -> list[Begun]:
    """Those that were run so far, in the order in which they began."""
    return [Begun(*row) for row in connection.execute(READ, (f"{prefix}%",))]


def moved(found: Iterable[Begun], before: Sequence[str], after: Sequence[str]) -> list[Begun]:
    """Those that ran where the members ``after`` have their item, and those ``before`` had it elsewhere."""
    rosters = Roster(Member(name, "") for name in before), Roster(Member(name, "") for name in after)
    return [one for one in found if _owner(one.name, rosters[0]) != one.node == _owner(one.name, rosters[1])]


def _owner(job_name: str, roster: Roster) -> str | None:
    return owner(job_name, 0, 1, Strategy.BALANCED, roster)
