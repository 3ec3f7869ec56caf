"""The life of an incarnation: joining, draining, leaving, and being found dead (rules 7 and 13)."""

from __future__ import annotations

from shardkeeper.domain.facts import Draining, FoundDead, Joined, JoinRefused, NodeLeft, TakenOver
from shardkeeper.domain.planner.actions import (
    Action,
    Beat,
    End,
    Enter,
    Halt,
    HaltAll,
    Join,
    Leave,
    SayDraining,
    TakeOver,
    Tell,
    Wake,
)
from shardkeeper.domain.planner.adoption import Adoption
from shardkeeper.domain.planner.events import (
    DrainAnswered,
    DrainAsked,
    GraceOver,
    HandedOver,
    JoinAnswered,
    JoinDue,
    LastWord,
    Left,
    Moment,
    SpecsRead,
    TakeoverAnswered,
)
from shardkeeper.domain.planner.firing import Firing
from shardkeeper.domain.planner.launching import Launching
from shardkeeper.domain.planner.mind import Mind, Standing
from shardkeeper.domain.planner.pulling import Pulling
from shardkeeper.domain.planner.watch import LeaseWatch

LAST_WORD_S = 8.0
"""After the grace period, how long what was halted has to end and to be recorded before the node goes anyway: more than
a task that is deaf to being asked has until it is killed (5 s), or its attempt would be lost instead of given back."""


class Lifecycle:
    """Joins, drains, leaves."""

    def __init__(
        self, mind: Mind, firing: Firing, adoption: Adoption, launching: Launching, pulling: Pulling
    ) -> None:
        self._mind = mind
        self._firing = firing
        self._adoption = adoption
        self._launching = launching
        self._pulling = pulling
        self._before = LeaseWatch(mind.settings.lease_s)
        """Watches the predecessor, while this incarnation is kept from joining by it."""
        self._has_specs = False
        self._leaving = False
        self._ordered = False
        self._drain = 0
        self._given_back = 0

    @property
    def stays(self) -> bool:
        """Whether this node counts itself a member although its lease row says draining."""
        return self._mind.standing is Standing.HANDING_OVER

    def specs_read(self, event: SpecsRead) -> list[Action]:
        """All specs are here: ask for a lease. Who has one owns items, and what falls due for an owner that still reads
        is late."""
        if self._has_specs or not event.whole:
            return []
        self._has_specs = True
        return [Join(self._mind.incarnation)] if self._mind.standing is Standing.JOINING else []

    def join_due(self, event: JoinDue, moment: Moment) -> list[Action]:
        """Ask again."""
        return [Join(self._mind.incarnation)] if self._mind.standing is Standing.JOINING else []

    def join_answered(self, event: JoinAnswered, moment: Moment) -> list[Action]:
        """A lease is ours; or an earlier life of this node must first be seen lapsed, and be taken over."""
        mind = self._mind
        if mind.standing is not Standing.JOINING or event.incarnation != mind.incarnation:
            return []
        if event.answer.joined:
            mind.standing = Standing.ACTIVE
            return [Tell(Joined(mind.incarnation)), Enter(mind.incarnation), Beat(mind.incarnation)]
        again = Wake(moment.mono + mind.settings.beat_period_s, JoinDue())
        predecessor = event.answer.predecessor
        if predecessor is None:
            # this incarnation joined unheard and was taken over, or its predecessor has just died: begin anew
            mind.incarnation = mind.new_incarnation()
            return [Join(mind.incarnation)]
        lapsed = self._before.read([predecessor], event.sent_mono, moment.mono)
        take = [TakeOver(mind.incarnation, one.incarnation, one.beat) for one in lapsed]
        return [Tell(JoinRefused(predecessor.incarnation)), *take, again]

    def takeover_answered(self, event: TakeoverAnswered, moment: Moment) -> list[Action]:
        """What was taken over is PENDING now: join, or read the leases again and look."""
        answer = event.answer
        if not answer.taken:
            return []
        told: list[Action] = [Tell(TakenOver(event.dead, answer.lost, answer.reissued))]
        if self._mind.standing is Standing.JOINING:
            return [*told, Join(self._mind.incarnation)]
        return [*told, Beat(self._mind.incarnation)]

    def found_dead(self, moment: Moment) -> list[Action]:
        """Others have taken this incarnation over: nothing it holds counts any more. Go on as a new one."""
        mind = self._mind
        fact = Tell(FoundDead(mind.incarnation, mind.holdings.live))
        halt = HaltAll(mind.holdings.running)
        mind.holdings.clear()
        self._launching.forget()
        self._firing.forget()
        self._adoption.store_away()
        self._pulling.forget()
        if self._leaving:
            mind.standing = Standing.GONE
            return [fact, halt, End()]
        mind.standing = Standing.JOINING
        mind.incarnation = mind.new_incarnation()
        self._before = LeaseWatch(mind.settings.lease_s)
        return [fact, halt, Join(mind.incarnation)]

    def drain_asked(self, event: DrainAsked, moment: Moment) -> list[Action]:
        """Say so at once; go on until the others know."""
        mind = self._mind
        if mind.standing is Standing.GONE or (self._leaving and event.leave):
            return []
        self._leaving = self._leaving or event.leave
        if mind.standing is Standing.JOINING:
            return self._gone() if event.leave else []
        actions: list[Action] = [Tell(Draining(event.leave))]
        if event.leave:
            actions.append(Wake(moment.mono + event.grace_s, GraceOver()))
        if mind.standing is Standing.ACTIVE:
            return [*actions, *self._hand_over()]
        return actions + self.leave_when_empty()

    def _hand_over(self) -> list[Action]:
        self._drain += 1
        self._mind.standing = Standing.HANDING_OVER
        return [SayDraining(self._mind.incarnation, True)]

    def obey_order(self, drain_ordered: bool, moment: Moment) -> list[Action]:
        """The operators' order for this node, as each beat reads it."""
        mind = self._mind
        if drain_ordered and mind.standing is Standing.ACTIVE:
            self._ordered = True
            return self.drain_asked(DrainAsked(leave=False, grace_s=0.0), moment)
        if not drain_ordered and self._ordered and not self._leaving:
            self._ordered = False
            return [SayDraining(mind.incarnation, False)]
        return []

    def drain_answered(self, event: DrainAnswered, moment: Moment) -> list[Action]:
        """The lease row says it; others read it within two of their readings."""
        mind = self._mind
        if event.draining and mind.standing is Standing.HANDING_OVER:
            return [Wake(moment.mono + mind.settings.handover_s, HandedOver(self._drain))]
        if not event.draining and self._leaving:
            return self._hand_over()  # the order to go came while the one to stay was under way
        if not event.draining and mind.standing in (Standing.HANDING_OVER, Standing.DRAINED):
            mind.standing = Standing.ACTIVE
            return [Beat(mind.incarnation), *self._firing.look_back(moment), *self._adoption.look()]
        return []

    def handed_over(self, event: HandedOver, moment: Moment) -> list[Action]:
        """The others have the future fires: create and claim nothing any more."""
        mind = self._mind
        if mind.standing is not Standing.HANDING_OVER or event.drain != self._drain:
            return []
        mind.standing = Standing.DRAINED
        mind.holdings.forget_waiting()
        return [Beat(mind.incarnation), *self.leave_when_empty()]

    def grace_over(self, event: GraceOver, moment: Moment) -> list[Action]:
        """What still runs is halted and goes back to PENDING; what cannot even be recorded is left to the
        takeover."""
        mind, settings = self._mind, self._mind.settings
        if mind.gives_back or not self._leaving:
            return []
        mind.standing, mind.gives_back = Standing.DRAINED, True
        actions: list[Action] = [Wake(moment.mono + settings.last_word_s, LastWord())]
        for holding in mind.holdings:
            if holding.outcome is None:
                holding.give_back = holding.halted = True
                self._given_back += 1
                actions.append(Halt(holding.claimed.key, holding.claim_no, settings.drain_halt_s))
        return actions + self.leave_when_empty()

    def last_word(self, event: LastWord, moment: Moment) -> list[Action]:
        """What could not be recorded by now is left to the takeover."""
        return self._gone()

    def leave_when_empty(self) -> list[Action]:
        """Give the lease up once nothing is held."""
        mind = self._mind
        empty = not len(mind.holdings) and not mind.holdings.asking
        if self._leaving and mind.standing is Standing.DRAINED and empty:
            return [Leave(mind.incarnation)]
        return []

    def left(self, event: Left, moment: Moment) -> list[Action]:
        """Gone; or the store holds attempts that this node did not know of: the next beat tells which."""
        return self._gone() if event.gone else [Beat(self._mind.incarnation)]

    def _gone(self) -> list[Action]:
        if self._mind.standing is Standing.GONE:
            return []
        self._mind.standing = Standing.GONE
        return [Tell(NodeLeft(self._given_back)), End()]
