"""What tasks do, and what they saw: the witnesses that no table can contradict."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from random import Random
from typing import Any

from shardkeeper.domain.runs import AttemptKey, Phase
from shardkeeper.ports.workers import (
    AttemptEnded,
    AttemptOrder,
    EndedValue,
    Ending,
    EndingStatus,
    WorkerEvent,
    WorkersChanged,
)

CANCELLED = "cancelled"
"""What a task says that ends itself for good."""
FOREVER = float("inf")
UNDOABLE = "tasks:Other"
"""What has a ``compensate``."""
STEP_S = 0.3
"""What a step takes of a task that goes by steps, and saves each."""


@dataclass(slots=True, eq=False)
class Witness:
    """One physical execution, by the world's clock."""

    node_id: str
    process_no: int
    job_name: str
    key: AttemptKey
    claim_no: int
    began: datetime
    checkpoint: Mapping[str, Any] = field(default_factory=dict)
    """Where it was told to go on from."""
    entrypoint: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    ended: datetime | None = None
    status: str | None = None
    """None: it is still running, or was cut off by the death of its node."""
    cancelled: bool = False
    """It ended itself for good."""


@dataclass(slots=True)
class Weather:
    """How tasks behave: shares of all executions, and seconds."""

    fails: float = 0.05
    dies: float = 0.01
    hangs: float = 0.01
    retries_later: float = 0.02
    cancels: float = 0.01
    unstorable: float = 0.01
    saves: float = 0.2
    """A checkpoint, at its beginning."""
    longest_s: float = 3.0


@dataclass(slots=True)
class Witnesses:
    """All executions of a world. ``capacities``: when, which process, how many at once from then on."""

    now: Callable[[], datetime]
    all: list[Witness] = field(default_factory=list)
    capacities: list[tuple[datetime, int, int]] = field(default_factory=list)

    def begin(self, node_id: str, process_no: int, order: AttemptOrder) -> None:
        """A worker begins with it."""
        name = str(order.context["job_name"])
        given, parameters = order.context["checkpoint"], order.context["parameters"]
        self.all.append(
            Witness(
                node_id, process_no, name, order.key, order.claim_no, self.now(), given, order.entrypoint, parameters
            )
        )  # fmt: skip

    def hear(self, process_no: int, event: WorkerEvent) -> None:
        """A worker has told how it ended (orders that never began have no witness), or how many there are."""
        if isinstance(event, WorkersChanged):
            self.capacities.append((self.now(), process_no, event.wanted))
        if isinstance(event, AttemptEnded):
            for one in reversed(self.all):
                mine = one.process_no == process_no and one.ended is None
                if mine and (one.key, one.claim_no) == (event.key, event.claim_no):
                    one.ended, one.status = self.now(), event.ending.status
                    one.cancelled = event.ending.cancelled
                    return

    def cut_off(self, process_no: int) -> None:
        """The node died, and all its workers with it."""
        for one in self.all:
            if one.process_no == process_no and one.ended is None:
                one.ended = self.now()


class Tasks:
    """Draws what each execution does."""

    def __init__(self, rng: Random, weather: Weather) -> None:
        self._rng = rng
        self.weather = weather

    def behave(self, order: AttemptOrder) -> tuple[float, Ending]:
        """Seconds that it takes, and how it ends if left alone."""
        lasts_s, ending = self._behave(order)
        if order.compensates and ending.status is EndingStatus.COMPLETED:
            ending = Ending(EndingStatus.COMPLETED, Phase.COMPENSATE)
        return lasts_s, replace(ending, compensable=order.entrypoint == UNDOABLE)

    def _behave(self, order: AttemptOrder) -> tuple[float, Ending]:
        scripted = order.context["parameters"]
        rng, weather = self._rng, self.weather
        lasts_s = rng.choice((0.0, 0.01, 0.05, rng.random() * weather.longest_s))
        if "seconds" in scripted:
            lasts_s = float(scripted["seconds"])
        if (steps := int(scripted.get("steps", 0))) > 0:
            lasts_s = STEP_S * (steps - _step(order)) + 0.1
        if "does" in scripted and not order.compensates:
            kind = scripted["does"]
            return (FOREVER if kind == "hangs" else lasts_s), _ending(kind, order)
        if "seconds" in scripted:
            return lasts_s, completed(order)
        drawn = rng.random()
        for share, kind in (
            (weather.fails, "fails"),
            (weather.dies, "dies"),
            (weather.hangs, "hangs"),
            (weather.retries_later, "retries later"),
            (weather.cancels, "cancels"),
            (weather.unstorable, "unstorable"),
        ):
            drawn -= share
            if drawn < 0:
                return (FOREVER if kind == "hangs" else lasts_s), _ending(kind, order)
        return lasts_s, completed(order)

    def saves(self, order: AttemptOrder, who: str) -> Iterator[tuple[float, Mapping[str, Any]]]:
        """The checkpoints that it saves if left alone, each with the seconds from its beginning."""
        steps = int(order.context["parameters"].get("steps", 0))
        for done, step in enumerate(range(_step(order), steps), 1):
            yield STEP_S * done, {"step": step + 1}
        if not steps and self._rng.random() < self.weather.saves:
            yield 0.0, {"by": who}


def _step(order: AttemptOrder) -> int:
    return int(order.context["checkpoint"].get("step", 0))


def completed(order: AttemptOrder) -> Ending:
    """Two values that tell whose they are."""
    name = f"{order.key.run_id}/{order.key.item}"
    values = (EndedValue("who", name, 1.0), EndedValue("claim", order.claim_no, 2.0))
    return Ending(EndingStatus.COMPLETED, Phase.VALIDATE, result=name, values=values)


def _ending(kind: str, order: AttemptOrder) -> Ending:
    if kind == "retries later":
        return Ending(EndingStatus.RETRY_LATER, Phase.CALCULATE, delay_s=0.5)
    if kind == "cancels":
        return Ending(EndingStatus.STOPPED, Phase.CALCULATE, error_message=CANCELLED, cancelled=True)
    if kind == "unstorable":
        return Ending(EndingStatus.COMPLETED, Phase.VALIDATE, result="half\x00done")
    if kind == "dies":
        return Ending(
            EndingStatus.FAILED, Phase.CALCULATE, error_type="WorkerDied", error_message="exit code 9"
        )
    return Ending(EndingStatus.FAILED, Phase.CALCULATE, error_type="ValueError", error_message=f"task {kind}")
