"""What users subclass and import: the task, its context, its values, and what it may raise.

The standard library only, and little of it: this module is loaded into every worker process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import logging


class ValidationError(Exception):
    """Raised by ``validate_calculation`` to refuse what was calculated: nothing of it is published."""


LONGEST_RETRY_DELAY_S = 366 * 86_400.0
"""What RetryLater may ask for at most: a year."""


class RetryLater(Exception):
    """Raised by a task to be tried again after ``seconds`` from now (0 to a year); it uses up no attempt."""

    def __init__(self, seconds: float, reason: str = "") -> None:
        self.seconds = checked_delay_s(seconds)
        super().__init__(reason or f"again in {self.seconds:g} s")


def checked_delay_s(seconds: object) -> float:
    """What RetryLater may ask for. Raises ValueError or TypeError."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise TypeError(f"the seconds of RetryLater are a number, not a {type(seconds).__name__}")
    if not 0 <= seconds <= LONGEST_RETRY_DELAY_S:
        limit = f"{LONGEST_RETRY_DELAY_S:.0f}"
        raise ValueError(f"the seconds of RetryLater are from 0 to {limit} (a year), not {seconds!r:.100}")
    return float(seconds)


class Cancel(Exception):
    """Raised by a task to end as STOPPED, without a retry."""

    def __init__(self, reason: str = "cancelled by the task") -> None:
        super().__init__(reason)


class TaskStopped(BaseException):
    """Thrown into a task that goes on after it was asked to stop, or past its time-out; let it pass.

    Not an Exception, so that ``except Exception`` does not swallow it. Clean-up in ``finally`` has a little
    time: a task that does not end is killed.
    """


@dataclass(frozen=True, slots=True)
class CalculateValue:
    """One calculated value: ``key`` is unique within the item, ``value`` any JSON value, ``weight`` finite
    and not negative.
    """

    key: str
    value: Any
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Source:
    """One weighted input that was dealt to this item."""

    key: str
    weight: float = 1.0
    location: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)


class ContextHost(Protocol):
    """What stands behind a context: a worker process, or ``run_task``."""

    def cancelled(self) -> bool:
        """Whether the attempt was asked to stop."""

    def save_checkpoint(self, checkpoint: Mapping[str, Any]) -> None:
        """Raises ValueError when it is not JSON or too large."""

    def progress(self, fraction: float | None, message: str) -> None:
        """``fraction`` 0..1."""


class ShardContext:
    """What one attempt of one sharding item knows, and its way to speak to Shardkeeper."""

    __slots__ = (
        "_host",
        "attempt",
        "checkpoint",
        "fire_time",
        "item",
        "item_parameter",
        "job_name",
        "log",
        "node_id",
        "parameters",
        "run_id",
        "run_name",
        "sharding_total_count",
        "sources",
    )

    job_name: str
    run_id: int
    run_name: str
    fire_time: datetime
    item: int
    sharding_total_count: int
    item_parameter: str | None
    parameters: dict[str, Any]
    sources: tuple[Source, ...]
    attempt: int
    node_id: str
    checkpoint: dict[str, Any]
    log: logging.Logger

    def __init__(self, fields: Mapping[str, Any], log: logging.Logger, host: ContextHost) -> None:
        """``fields``: the JSON form (``AttemptOrder.context``); ``fire_time`` ISO 8601 with offset."""
        self._host = host
        self.log = log
        self.job_name = fields["job_name"]
        self.run_id = fields["run_id"]
        self.run_name = fields["run_name"]
        self.fire_time = datetime.fromisoformat(fields["fire_time"])
        self.item = fields["item"]
        self.sharding_total_count = fields["sharding_total_count"]
        self.item_parameter = fields.get("item_parameter")
        self.parameters = dict(fields.get("parameters") or {})
        self.sources = tuple(_source(row) for row in fields.get("sources") or ())
        self.attempt = fields.get("attempt", 1)
        self.node_id = fields.get("node_id", "")
        self.checkpoint = dict(fields.get("checkpoint") or {})

    @property
    def cancelled(self) -> bool:
        """True once the attempt was asked to stop. A task that has seen it and then ends is recorded as
        STOPPED.
        """
        return self._host.cancelled()

    def save_checkpoint(self, checkpoint: Mapping[str, Any]) -> None:
        """Keep ``checkpoint`` (JSON, an object) for the next attempt of this item. Raises ValueError when it
        cannot be kept.
        """
        self._host.save_checkpoint(checkpoint)
        self.checkpoint = dict(checkpoint)

    def progress(self, fraction: float | None, message: str = "") -> None:
        """Tell how far it is: ``fraction`` from 0 to 1, or None. Often is fine, the worker sends a few per
        second.
        """
        self._host.progress(fraction, message)


class DistributeTask:
    """A three-phase task: subclass it, write ``calculate``, and name the class in an ImplSpec
    (``package.module:Class``).

    One object serves one attempt of one item. It is made without arguments.
    """

    def initialize(self, context: ShardContext) -> Any:
        """Open and read this item's sources; what it returns is handed to ``calculate`` as ``data``."""
        return None

    def calculate(self, context: ShardContext, data: Any) -> Any:
        """Return CalculateValue objects (a list or another iterable of them), any other JSON value, or
        None.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define calculate")

    def validate_calculation(self, context: ShardContext, values: Any) -> None:
        """Look at what ``calculate`` returned; raise ValidationError to refuse it."""

    def compensate(self, context: ShardContext) -> None:
        """Undo what ``calculate`` has done outside; called when a run fails for good after it."""


def _source(row: Mapping[str, Any]) -> Source:
    return Source(row["key"], float(row.get("weight", 1.0)), row.get("location"), row.get("parameters") or {})
