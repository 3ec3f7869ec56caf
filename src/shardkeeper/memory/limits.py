"""Limits shared by nodes: pools, attempts of a job and of one value of a parameter, starts in a period (rule 16).

As in PostgreSQL nothing is counted up or down: what is RUNNING is counted whenever something is about to start. What
limits an attempt is what its job's newest valid version says now; a RUNNING one counts by the marks of its claim.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from shardkeeper.domain.policies.rate import paid_with, starts_now
from shardkeeper.memory.database import MemoryDatabase
from shardkeeper.memory.rows import Attempt, JobTerms, Run

SHOWN_BEYOND = 16
"""How many more attempts of a limit nodes are shown than fit, where any do: each is to find its own among them."""
_LONGEST_VALUE = 200

_Limit = tuple[str, ...]


def limits_of(database: MemoryDatabase, job_name: str) -> JobTerms | None:
    """The terms in force of a job whose attempts are limited; None: it is not."""
    version = database.job_in_force(job_name, database.now())
    terms = None if version is None else version.terms
    return terms if terms is not None and terms.limited else None


def concurrency_value(database: MemoryDatabase, run: Run) -> str | None:
    """The run's value of its job's ``concurrency_key``: its own, else the job version's, else the ImplSpec's."""
    return _value(database, limits_of(database, run.job_name), run)


def _value(database: MemoryDatabase, terms: JobTerms | None, run: Run) -> str | None:
    if terms is None or terms.concurrency_key is None:
        return None
    impl = database.impl_version_by_no.get(run.impl_version)
    layers = (run.parameters, _parameters(run.version.spec), _parameters(impl.impl if impl else None))
    for layer in layers:
        if terms.concurrency_key in layer:
            return _text(layer[terms.concurrency_key])
    return None


def _parameters(row: Mapping[str, Any] | None) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (row or {}).get("parameters", {})
    return found


def _text(value: Any) -> str | None:
    text = value if value is None or isinstance(value, str) else json.dumps(value, sort_keys=True)
    if text is not None and len(text.encode()) > _LONGEST_VALUE:
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
    return text


class Room:
    """What may start now under all limits, within one call; ``spare``: how many more are let through where there is
    room at all."""

    def __init__(self, database: MemoryDatabase, now: datetime, spare: int = 0) -> None:
        self._database = database
        self._now = now
        self._spare = spare
        self._running: Counter[_Limit] | None = None
        self._left: dict[_Limit, int] = {}
        self._terms: dict[str, JobTerms | None] = {}

    def takes(self, row: Attempt) -> bool:
        """Whether the attempt fits beside those taken before it, in which case it is taken too."""
        terms = self._terms_of(row)
        if terms is None:
            return True
        sizes = self._sizes(terms, row)
        if any(self._left_of(limit, size) <= 0 for limit, size in sizes.items()):
            return False
        for limit in sizes:
            self._left[limit] -= 1
        return True

    def admits(self, row: Attempt) -> bool:
        """Whether the attempt may start now; if so it is marked. Its rate is paid."""
        terms, starts = self._terms_of(row), self.takes(row)
        if terms is not None and terms.rate_limit is not None:
            job, paid = row.run.job_name, self._database.paid_until
            paid[job] = paid_with(paid.get(job), int(starts), terms.rate_limit, terms.rate_period, self._now)
        if starts:
            row.limited = terms is not None
            row.pool = None if terms is None else terms.pool
            row.concurrency_value = _value(self._database, terms, row.run)
        return starts

    def _terms_of(self, row: Attempt) -> JobTerms | None:
        job = row.run.job_name
        if job not in self._terms:
            self._terms[job] = limits_of(self._database, job)
        return self._terms[job]

    def _left_of(self, limit: _Limit, size: int) -> int:
        if limit not in self._left:
            if self._running is None:
                self._running = _running(self._database)
            left = self._database.rules.room(size, self._running[limit])
            self._left[limit] = left + self._spare if left > 0 else 0
        return self._left[limit]

    def _sizes(self, terms: JobTerms, row: Attempt) -> dict[_Limit, int]:
        """The limits of the attempt, each with how many it lets run (or, of a rate, start now)."""
        database, job = self._database, row.run.job_name
        sizes: dict[_Limit, int] = {}
        if terms.pool is not None and terms.pool in database.pools:
            sizes[("pool", terms.pool)] = database.pools[terms.pool]
        if terms.max_running is not None:
            sizes[("job", job)] = terms.max_running
        if terms.rate_limit is not None:
            paid_until = database.paid_until.get(job)
            sizes[("rate", job)] = starts_now(paid_until, terms.rate_limit, terms.rate_period, self._now)
        if (value := _value(database, terms, row.run)) is not None:
            sizes[("value", job, value)] = terms.max_running_per_key
        return sizes


def _running(database: MemoryDatabase) -> Counter[_Limit]:
    """How many RUNNING attempts count for each limit; none ever does for a rate."""
    found: Counter[_Limit] = Counter()
    for rows in database.held.values():
        for row in rows:
            if row.limited:
                found[("job", row.run.job_name)] += 1
            if row.pool is not None:
                found[("pool", row.pool)] += 1
            if row.limited and row.concurrency_value is not None:
                found[("value", row.run.job_name, row.concurrency_value)] += 1
    return found
