"""A stretch of whole seconds in which a cluster is watched, and what the processors did in it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bench.cluster import Cluster
from bench.processors import Shares


@dataclass(frozen=True, slots=True)
class Stretch:
    """After ``since`` and up to ``until``, by PostgreSQL's clock; ``cores``: in use by kind of process."""

    since: datetime
    until: datetime
    cores: Mapping[str, float]

    @property
    def seconds(self) -> int:
        """How many they were."""
        return round((self.until - self.since).total_seconds())


def watch(running: Cluster, connection: Any, seconds: int, warm_up_s: float, settle_s: float) -> Stretch:
    """About so many seconds, after those of warming up; returns when what was due in them has had ``settle_s``
    seconds more to end."""
    pause = threading.Event()
    pause.wait(warm_up_s)
    shares, since = Shares(running.pids, others=True).begin(), _second(connection)
    pause.wait(seconds)
    cores, until = shares.cores(), _second(connection)
    pause.wait(settle_s)
    return Stretch(since, until, cores)


def _second(connection: Any) -> datetime:
    found: datetime = connection.execute("select date_trunc('second', clock_timestamp())").fetchone()[0]
    return found
