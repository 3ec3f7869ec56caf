"""What the planner wants done. Each is handed to an effect that calls a port; its answer comes back as an
event."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from shardkeeper.domain.attempts import Claimed, CreateRun
from shardkeeper.domain.outcomes import Outcome, Progress
from shardkeeper.domain.planner.events import Event
from shardkeeper.domain.runs import AttemptKey
from shardkeeper.domain.specs import ImplVersion, Isolation, JobVersion, SourceData
from shardkeeper.domain.value import value
from shardkeeper.domain.view import View


@value(frozen=True, slots=True)
class Replay:
    """Record what an earlier life of this node has left in its journal; nothing is answered."""


@value(frozen=True, slots=True)
class Join:
    """Register ``incarnation``'s lease; JoinAnswered follows."""

    incarnation: str


@value(frozen=True, slots=True)
class Beat:
    incarnation: str


@value(frozen=True, slots=True)
class TakeOver:
    """The incarnation ``dead`` was seen at ``beat`` for a whole lease."""

    taker: str
    dead: str
    beat: int


@value(frozen=True, slots=True)
class MirrorView:
    view: View


@value(frozen=True, slots=True)
class SayDraining:
    """Write it into the lease row and into the coordinator; DrainAnswered follows."""

    incarnation: str
    draining: bool


@value(frozen=True, slots=True)
class SaySkewed:
    """Tell the coordinator whether this node's clock is wrong: it creates nothing then, so the view leaves it out."""

    skewed: bool


@value(frozen=True, slots=True)
class Leave:
    incarnation: str


@value(frozen=True, slots=True)
class Enter:
    """This incarnation holds a lease: take part in the coordinator, and do duties."""

    incarnation: str


@value(frozen=True, slots=True)
class End:
    """The node's life is over: everything was handed over."""


@value(frozen=True, slots=True)
class ReadSpecs:
    """Read changes since the last reading, or these names; SpecsRead follows."""

    jobs: tuple[str, ...] = ()


@value(frozen=True, slots=True)
class ReadPinned:
    job_versions: tuple[int, ...]
    impl_versions: tuple[int, ...]


@value(frozen=True, slots=True)
class ReadPending:
    incarnation: str


@value(frozen=True, slots=True)
class Create:
    incarnation: str
    request: CreateRun


@value(frozen=True, slots=True)
class Claim:
    incarnation: str
    keys: tuple[AttemptKey, ...]


@value(frozen=True, slots=True)
class Pull:
    """Claim the best attempts that have no owner, at most ``most``, of no job among ``not_jobs``; Pulled follows."""

    incarnation: str
    most: int
    not_jobs: tuple[str, ...] = ()


@value(frozen=True, slots=True)
class Launch:
    """Hand a claimed attempt to the workers."""

    claimed: Claimed
    job: JobVersion
    impl: ImplVersion
    sources: tuple[SourceData, ...]


@value(frozen=True, slots=True)
class Halt:
    """Ask a running attempt to stop; after ``kill_after_s`` seconds it is killed with its children."""

    key: AttemptKey
    claim_no: int
    kill_after_s: float


@value(frozen=True, slots=True)
class TakeBack:
    """Have an attempt returned that has not begun; one that has is left alone."""

    key: AttemptKey
    claim_no: int


@value(frozen=True, slots=True)
class HaltAll:
    """Kill all these (each with the number of its claim) at once: this incarnation is dead, and no result of it will be
    taken."""

    claims: tuple[tuple[AttemptKey, int], ...]


@value(frozen=True, slots=True)
class Record:
    incarnation: str
    outcome: Outcome


@value(frozen=True, slots=True)
class Report:
    incarnation: str
    progress: Progress


@value(frozen=True, slots=True)
class CloseUnrunnable:
    """No node can run these, for too long."""

    incarnation: str
    keys: tuple[AttemptKey, ...]
    reason: str


@value(frozen=True, slots=True)
class Decline:
    """This node cannot run the job under these versions (of the job, of its ImplSpec)."""

    job_name: str
    versions: tuple[int, int]
    reason: str


@value(frozen=True, slots=True)
class ForgetDeclines:
    """The code on this node was renewed: whatever it could not run is tried again."""


@value(frozen=True, slots=True)
class Warm:
    """Have workers ready for attempts of this isolation, before there are any."""

    isolation: Isolation


@value(frozen=True, slots=True)
class Resize:
    workers: int


@value(frozen=True, slots=True)
class ArmTimer:
    key: str
    at: datetime


@value(frozen=True, slots=True)
class DisarmTimer:
    key: str


@value(frozen=True, slots=True)
class RebuildTimers:
    pass


@value(frozen=True, slots=True)
class Wake:
    """Give this event back at ``at_mono`` on the monotonic clock."""

    at_mono: float
    event: Event


@value(frozen=True, slots=True)
class Alert:
    """An alert that no outcome writes; ``event_key`` makes it one row however many nodes say it."""

    event_key: str
    kind: str
    body: Mapping[str, Any]


@value(frozen=True, slots=True)
class Tell:
    """A fact, for log and metrics."""

    fact: object


Action = (
    Replay
    | Join
    | Beat
    | TakeOver
    | MirrorView
    | SayDraining
    | SaySkewed
    | Leave
    | Enter
    | End
    | ReadSpecs
    | ReadPinned
    | ReadPending
    | Create
    | Claim
    | Pull
    | Launch
    | Halt
    | TakeBack
    | HaltAll
    | Record
    | Report
    | CloseUnrunnable
    | Decline
    | ForgetDeclines
    | Warm
    | Resize
    | ArmTimer
    | DisarmTimer
    | RebuildTimers
    | Wake
    | Alert
    | Tell
)
