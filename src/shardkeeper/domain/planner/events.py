"""What the planner is told: facts that somebody else found out, put into the node's mailbox one by one.

Answers to actions carry what was asked, so that the planner needs no memory of calls under way. ``mono``
values are seconds of the node's monotonic clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from shardkeeper.domain.attempts import Claimed, CreateAnswer, CreateRun, Pending
from shardkeeper.domain.catalog import ImplHistory, JobHistory
from shardkeeper.domain.frozen import EMPTY
from shardkeeper.domain.leases import BeatAnswer, JoinAnswer, TakeoverAnswer
from shardkeeper.domain.outcomes import Outcome, OutcomeAnswer, Progress
from shardkeeper.domain.runs import AttemptKey
from shardkeeper.domain.specs import ImplVersion, JobVersion
from shardkeeper.domain.value import value
from shardkeeper.domain.view import View


@value(frozen=True, slots=True)
class Moment:
    """When an event is handled: the wall clock (aware, UTC) and the monotonic clock (seconds)."""

    now: datetime
    mono: float


@value(frozen=True, slots=True)
class Started:
    """The node begins its life, or begins anew under another incarnation."""


@value(frozen=True, slots=True)
class JoinAnswered:
    incarnation: str
    answer: JoinAnswer
    sent_mono: float


@value(frozen=True, slots=True)
class Beaten:
    """The answer to a beat, and when it was sent: the own lease counts from there."""

    incarnation: str
    answer: BeatAnswer
    sent_mono: float


@value(frozen=True, slots=True)
class StoreAway:
    """Creations and claims are not answered: PostgreSQL cannot be reached."""

    reason: str


@value(frozen=True, slots=True)
class BeatUnanswered:
    """PostgreSQL did not answer a beat."""

    reason: str


@value(frozen=True, slots=True)
class TakeoverAnswered:
    dead: str
    answer: TakeoverAnswer


@value(frozen=True, slots=True)
class SpecsRead:
    """Complete histories of the names given; ``whole``: of every job and impl there is."""

    jobs: Mapping[str, JobHistory]
    impls: Mapping[str, ImplHistory]
    whole: bool = False


@value(frozen=True, slots=True)
class PinnedRead:
    """Versions that attempts are pinned to. ``missing``: job or impl versions that cannot be read here, with
    the reason. ``declined``: by name of the job, who cannot run it: version of the job (0: any), of its ImplSpec, node.
    """

    jobs: tuple[JobVersion, ...]
    impls: tuple[ImplVersion, ...]
    missing: Mapping[int, str]
    declined: Mapping[str, frozenset[tuple[int, int, str]]] = EMPTY


@value(frozen=True, slots=True)
class ViewSeen:
    view: View


@value(frozen=True, slots=True)
class TimerFired:
    key: str


@value(frozen=True, slots=True)
class ClockStepped:
    """The wall clock moved against the monotonic one by ``by_s`` seconds."""

    by_s: float


@value(frozen=True, slots=True)
class RunsAnswered:
    incarnation: str
    requests: tuple[CreateRun, ...]
    answers: tuple[CreateAnswer, ...]


@value(frozen=True, slots=True)
class RunsUnanswered:
    """Nobody knows whether these were created or claimed: looked at again once the store is back."""

    incarnation: str
    requests: tuple[CreateRun, ...]


@value(frozen=True, slots=True)
class ClaimsAnswered:
    """``asked`` by key; what is not among ``claimed`` was not to be had (or, unanswered, is not known)."""

    incarnation: str
    asked: tuple[AttemptKey, ...]
    claimed: tuple[Claimed, ...]


@value(frozen=True, slots=True)
class Pulled:
    """What a pull of ``most`` attempts brought; ``claimed`` None: nobody knows, as the store did not answer."""

    incarnation: str
    most: int
    claimed: tuple[Claimed, ...] | None


@value(frozen=True, slots=True)
class PendingRead:
    """``full``: there may be more than these."""

    incarnation: str
    rows: tuple[Pending, ...]
    full: bool


@value(frozen=True, slots=True)
class AttemptBegan:
    """The worker started the first phase, or says how far it is: to be reported."""

    report: Progress


@value(frozen=True, slots=True)
class AttemptOver:
    """A worker is done with an attempt. ``outcome`` is as the task ended, without the policy's word on a
    next attempt.

    PENDING gives it back under the same number. ``declined``: this node cannot run the job, and why.
    """

    outcome: Outcome
    declined: str | None = None


@value(frozen=True, slots=True)
class AttemptsOver:
    """Those that ended within one turn of the workers: the room that they leave is looked at once."""

    ended: tuple[AttemptOver, ...]


@value(frozen=True, slots=True)
class OutcomesAnswered:
    incarnation: str
    outcomes: tuple[Outcome, ...]
    answers: tuple[OutcomeAnswer, ...]


@value(frozen=True, slots=True)
class CapacityChanged:
    """``capacity`` attempts may run at once; ``fit`` False: workers cannot be kept alive (``problem``), so nothing is
    claimed."""

    capacity: int
    fit: bool
    problem: str | None = None


@value(frozen=True, slots=True)
class Hinted:
    """Something about attempts changed (an order, work): look now, not at the next round."""

    orders: bool = False
    work: bool = False


@value(frozen=True, slots=True)
class DrainAsked:
    """Take no more work. ``leave``: and go, when what runs has ended or ``grace_s`` seconds have passed."""

    leave: bool
    grace_s: float


@value(frozen=True, slots=True)
class DrainAnswered:
    """The lease row says draining now: others take the node's share from their next reading on."""

    incarnation: str
    draining: bool


@value(frozen=True, slots=True)
class Left:
    """The lease has been given up, or (``gone`` False) the store still has attempts RUNNING under it."""

    incarnation: str
    gone: bool


# What the planner says to itself, later.


@value(frozen=True, slots=True)
class BeatDue:
    pass


@value(frozen=True, slots=True)
class PendingDue:
    pass


@value(frozen=True, slots=True)
class PullDue:
    """Look again for what was submitted while the last hint was under way: hints are gathered."""


@value(frozen=True, slots=True)
class JoinDue:
    pass


@value(frozen=True, slots=True)
class LeaseEnds:
    """The own lease, counted from the last beat sent, would end now."""


@value(frozen=True, slots=True)
class CreateDue:
    request: CreateRun


@value(frozen=True, slots=True)
class SpecsDue:
    """Read these jobs again: the store knew of another version than this node."""

    jobs: tuple[str, ...]


@value(frozen=True, slots=True)
class TakeUpOn:
    """Take up another piece of what was changed."""


@value(frozen=True, slots=True)
class LookOn:
    """Go on with a look-back that is cut into pieces, so that no event waits long."""


@value(frozen=True, slots=True)
class CreateOn:
    """Go on with creations for which there was no room."""


@value(frozen=True, slots=True)
class FireOn:
    """Go on with the fires of timers that went off."""


@value(frozen=True, slots=True)
class HandedOver:
    """``drain``: which of this node's drains, so that an older one's end is told from a newer one's."""

    drain: int


@value(frozen=True, slots=True)
class GraceOver:
    """What still runs is halted now."""


@value(frozen=True, slots=True)
class LastWord:
    """What was halted has had its time to be recorded."""


@value(frozen=True, slots=True)
class TasksRenewed:
    """Task code was taken up anew: what could not run may run now."""


Event = (
    Started
    | JoinAnswered
    | Beaten
    | BeatUnanswered
    | TakeoverAnswered
    | StoreAway
    | SpecsRead
    | PinnedRead
    | ViewSeen
    | TimerFired
    | ClockStepped
    | RunsAnswered
    | RunsUnanswered
    | ClaimsAnswered
    | Pulled
    | PendingRead
    | AttemptBegan
    | AttemptsOver
    | OutcomesAnswered
    | CapacityChanged
    | Hinted
    | DrainAsked
    | DrainAnswered
    | Left
    | BeatDue
    | PendingDue
    | PullDue
    | JoinDue
    | LeaseEnds
    | CreateDue
    | CreateOn
    | FireOn
    | SpecsDue
    | TakeUpOn
    | LookOn
    | HandedOver
    | GraceOver
    | LastWord
    | TasksRenewed
)
