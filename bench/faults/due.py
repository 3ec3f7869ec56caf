"""Which fires were due, by arithmetic of its own: what it finds does not depend on the code that it judges."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from bench.faults.history import Job, Version

_US = 1_000_000


def due_fires(job: Job, until: float) -> list[float]:
    """Every fire of a job up to ``until``, ascending; seconds since the epoch, here as there. ValueError for a cron
    expression of which more is needed than this reads."""
    found: list[float] = []
    ends = [version.in_force_from for version in job.versions[1:]]
    for version, end in zip(job.versions, [*ends, None], strict=True):
        last = min(until, version.ends_at if version.ends_at is not None else until)
        # the next version counts from its very instant on
        found += [at for at in _of_version(version, last) if end is None or at < end]
    return found


def _of_version(version: Version, until: float) -> Iterator[float]:
    first_us, until_us = round(version.in_force_from * _US), round(until * _US)
    if version.every_us is not None:
        number = -(-first_us // version.every_us)
        while (at_us := number * version.every_us) <= until_us:
            yield at_us / _US
            number += 1
    elif version.cron is not None:
        fields = [_read(field) for field in version.cron.split()]
        if len(fields) != 6 or any(fields[3:]):
            raise ValueError(f"{version.cron!r} is not six fields of which the last three are *")
        for second in range(-(-first_us // _US), until_us // _US + 1):
            if _matches(fields, second):
                yield float(second)


def _matches(fields: list[int | None], second: int) -> bool:
    at = datetime.fromtimestamp(second, UTC)
    places = (at.second, at.minute, at.hour)
    return all(step is None or place % step == 0 for step, place in zip(fields[:3], places, strict=True))


def _read(field: str) -> int | None:
    """Each so many; None: each."""
    if field == "*":
        return None
    start, _, step = field.partition("/")
    if start != "*" or not step.isdigit():
        raise ValueError(f"{field!r} of a cron expression is neither * nor */n")
    return int(step)
