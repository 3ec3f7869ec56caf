"""The log: structlog, as text for people or as JSON lines, on standard error. Facts become lines here and nowhere
else.
"""

from __future__ import annotations

import logging
import re
import sys
from dataclasses import fields
from datetime import datetime
from enum import Enum
from typing import Any, Literal

import structlog

from shardkeeper.domain.facts import (
    AlertsHeldUp,
    AttemptClaimed,
    AttemptRecorded,
    CallUnanswered,
    ClockSkewed,
    CoordinatorSeen,
    FireLeft,
    FoundDead,
    JobDeclined,
    JoinRefused,
    LeaseLapsed,
    ListenerChanged,
    OutcomeRefused,
    OutcomeSuperseded,
    RunCreated,
    StoreLost,
    SweepLeftToOthers,
    TakenOver,
    ViewRefused,
    WorkersLost,
)
from shardkeeper.domain.runs import AttemptKey, AttemptStatus

QUIET = (RunCreated, AttemptClaimed)
WARNINGS = (
    AlertsHeldUp,
    CallUnanswered,
    ClockSkewed,
    FireLeft,
    FoundDead,
    JobDeclined,
    JoinRefused,
    LeaseLapsed,
    OutcomeRefused,
    OutcomeSuperseded,
    StoreLost,
    SweepLeftToOthers,
    TakenOver,
    ViewRefused,
    WorkersLost,
)
_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])")


def configure(log_format: Literal["text", "json"], level: int = logging.INFO) -> None:
    """Set up structlog and route the standard library's loggers through it. Idempotent."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    render: Any = structlog.processors.JSONRenderer()
    if log_format == "text":
        render = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # a timer that fires, and a link that is away, are told as facts; these would tell each of them many times
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    logging.getLogger("kazoo").setLevel(logging.ERROR)
    # it tells of each of its plugins when it is loaded
    logging.getLogger("alembic").setLevel(logging.WARNING)


class FactLog:
    """Subscribes to the board. ``node_id`` and the environment stand in every line."""

    def __init__(self, node_id: str, environment: str) -> None:
        self._log = structlog.get_logger("shardkeeper").bind(node=node_id, environment=environment)
        self._shown = logging.getLogger().isEnabledFor

    def __call__(self, fact: object) -> None:
        """Write one fact; those below the level that is shown cost next to nothing."""
        level = _level(fact)
        if self._shown(level):
            self._log.log(level, event_name(fact), **_fields(fact))


def event_name(fact: object) -> str:
    """``RunCreated`` is the event ``run created``."""
    return _WORDS.sub(" ", type(fact).__name__).lower()


def _level(fact: object) -> int:
    if isinstance(fact, AttemptRecorded):
        calm = fact.status is AttemptStatus.COMPLETED or fact.status is AttemptStatus.PENDING
        return logging.DEBUG if calm else logging.WARNING
    if isinstance(fact, QUIET):
        return logging.DEBUG
    troubled = isinstance(fact, CoordinatorSeen) and (fact.session != "connected" or bool(fact.problems))
    deaf = isinstance(fact, ListenerChanged) and not fact.listening
    return logging.WARNING if troubled or deaf or isinstance(fact, WARNINGS) else logging.INFO


def _fields(fact: object) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in fields(fact):  # type: ignore[arg-type]  # every fact is a dataclass
        value = getattr(fact, field.name)
        if isinstance(value, AttemptKey):
            found |= {"run_id": value.run_id, "item": value.item, "attempt": value.attempt}
            found["fire_time"] = value.fire_time.isoformat()
        elif value is not None:
            found[field.name] = _plain(value)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Enum):
        return str(value)
    if isinstance(value, float):
        return round(value, 6)
    return value
