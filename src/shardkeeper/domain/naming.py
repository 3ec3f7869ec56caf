"""The readable name of a run: ``price-index@2026-11-21T03:00:00Z``."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import NamedTuple

from shardkeeper.domain.errors import Refused
from shardkeeper.domain.problems import shown

_RUN_NAME = re.compile(
    r"(?P<job>[a-z0-9][a-z0-9._-]{0,99})"
    r"@(?P<seconds>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.(?P<fraction>[0-9]{1,6}))?Z"
)


class RunName(NamedTuple):
    """What a run name says."""

    job_name: str
    fire_time: datetime


def run_name(job_name: str, fire_time: datetime) -> str:
    """The name of the run of ``job_name`` at ``fire_time`` (aware); fractions of a second only where there are any."""
    if fire_time.tzinfo is not UTC:
        if fire_time.utcoffset() is None:
            raise ValueError("a fire time without its offset from UTC")
        fire_time = fire_time.astimezone(UTC)
    return run_name_at(job_name, fire_time.isoformat())


def run_name_at(job_name: str, fire_time: str) -> str:
    """The same of an instant in UTC that is written already, as ``isoformat`` does it: to write one takes as long as
    the rest of a small message. Raises ValueError where its offset is another."""
    if not fire_time.endswith("+00:00"):
        raise ValueError(f"{fire_time} is not in UTC")
    # six digits of a fraction or none, and then +00:00
    instant = fire_time[:-6]
    return f"{job_name}@{instant.rstrip('0') if '.' in instant else instant}Z"


def parse_run_name(text: str) -> RunName:
    """What ``run_name`` was given. Raises Refused where ``text`` is not a run name."""
    found = _RUN_NAME.fullmatch(text)
    if found is None:
        raise _not_a_name(text)
    microsecond = int((found["fraction"] or "").ljust(6, "0"))
    try:
        seconds = datetime.fromisoformat(found["seconds"])
    except ValueError as error:
        raise _not_a_name(text) from error
    return RunName(found["job"], seconds.replace(microsecond=microsecond, tzinfo=UTC))


def _not_a_name(text: str) -> Refused:
    return Refused(f"{shown(text)} is not the name of a run, such as price-index@2026-11-21T03:00:00Z")
