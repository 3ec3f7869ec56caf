"""What this node holds: attempts that are RUNNING under its incarnation, calls under way for more, and the
room that is left."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from shardkeeper.domain.attempts import Claimed
from shardkeeper.domain.outcomes import Outcome
from shardkeeper.domain.runs import AttemptKey, AttemptStatus
from shardkeeper.domain.specs import JobVersion

UNKNOWN_DURATION_S = 0.1
"""What an attempt is taken to last before any has ended."""
OVER_KEPT = 50_000
"""Claims that were dropped lately: many more than can end while the answer to one call is on its way."""
SHORTEST_S = 0.0002
WEIGHT = 0.1
"""Of the attempt that ended last in what is usual."""
LONG = 5
"""Times as long as what leaves nothing to be claimed ahead: how much longer an attempt is makes no difference."""


@dataclass(slots=True)
class Holding:
    """One attempt from its claim until the store has answered for its outcome."""

    claimed: Claimed
    job: JobVersion | None = None
    """The version its run pins, once it was launched: kept here, whatever the catalog forgets."""
    launched: bool = False
    launched_at: float = 0.0
    """Monotonic, when it was handed to the workers."""
    begun_at: float | None = None
    """Monotonic, when they told that it began; None: not yet, or it ended before that was worth a word."""
    halted: bool = False
    give_back: bool = False
    """Halted for the node's sake (drain, lease lost): it goes back to PENDING and uses up nothing."""
    outcome: Outcome | None = None
    """How it ended, while that is being recorded."""

    @property
    def claim_no(self) -> int:
        return self.claimed.claim_no


class Holdings:
    """``room`` is what may still be claimed: capacity and buffer, less what is held unended and what was asked for.

    The buffer hides the round trip of a claim: it holds as many attempts as the workers are seen to end within
    ``ahead_s`` seconds. So tasks of a millisecond are claimed by the hundred, and what lies before a task of an hour is
    left to others.
    """

    def __init__(self, ahead_s: float, most_ahead: int, most_waiting: int) -> None:
        self._most_waiting = most_waiting
        self._ahead_s = ahead_s
        self._most_ahead = most_ahead
        self._usual_s = UNKNOWN_DURATION_S
        self._ended = 0
        self._held: dict[AttemptKey, Holding] = {}
        self._live = 0
        self._going_back = 0
        self._asked: dict[AttemptKey, None] = {}
        self._reserved = 0
        self._waiting: OrderedDict[AttemptKey, int] = OrderedDict()
        self._reading = 0
        """Number of the latest reading; with each that waits stands the one before which it was put here."""
        self._over: OrderedDict[AttemptKey, int] = OrderedDict()
        self._capacity = 0
        self._ahead_now: int | None = None
        """As worked out last; None: what it goes by has changed."""
        self.fit = True

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, key: AttemptKey) -> bool:
        return key in self._held

    def __iter__(self) -> Iterator[Holding]:
        return iter(tuple(self._held.values()))

    @property
    def live(self) -> int:
        """Attempts held that have not ended."""
        return self._live

    @property
    def running(self) -> tuple[tuple[AttemptKey, int], ...]:
        """The claims of those that the workers have, as far as is known."""
        return tuple(
            (key, held.claim_no) for key, held in self._held.items() if held.launched and held.outcome is None
        )

    @property
    def capacity(self) -> int:
        """How many attempts the workers run at once."""
        return self._capacity

    @capacity.setter
    def capacity(self, workers: int) -> None:
        self._capacity, self._ahead_now = workers, None

    @property
    def room(self) -> int:
        """How many more may be asked for now."""
        if not self.fit or self._capacity <= 0:
            return 0
        return max(0, self._capacity + self.ahead - self._live - len(self._asked) - self._reserved)

    def room_to_pull(self, busy_at: int) -> int:
        """How many attempts without an owner may be asked for now: none where the node is busy, and none to lie before
        tasks that take long, or of which nobody knows yet how long they take, since others may be free for them."""
        if not self.fit or self.capacity <= 0:
            return 0
        full = self.capacity + (self.ahead - 1 if self._ended else 0)
        # what goes back unbegun is the store's to give others only once that is recorded
        taken = self._live + self._going_back + len(self._asked) + self._reserved
        return full - taken if taken * 100 < busy_at * full else 0

    @property
    def ahead(self) -> int:
        """How many attempts are claimed ahead of free workers."""
        if self._ahead_now is None:
            ends = int(self._capacity * self._ahead_s / max(self._usual_s, SHORTEST_S))
            self._ahead_now = min(self._most_ahead, ends + 1)
        return self._ahead_now

    def lasted(self, seconds: float) -> None:
        """An attempt took so long in its worker. What is usual is a running mean, by which workers end as many in a
        second as they do: one long attempt among many short ones must not make a node claim them one by one."""
        self._ended += 1
        seconds = min(seconds, max(LONG * self.capacity * self._ahead_s, UNKNOWN_DURATION_S))
        self._usual_s += max(WEIGHT, 1 / (self._ended + 1)) * (seconds - self._usual_s)
        self._ahead_now = None

    @property
    def asking(self) -> bool:
        """Whether a creation or claim is under way, so that the store may hold more for this node than it
        knows."""
        return bool(self._asked) or self._reserved > 0

    def reserve(self, items: int) -> int:
        """Keep room for at most so many items of a run being created; how many there was room for."""
        granted = min(items, self.room)
        self._reserved += granted
        return granted

    def reserve_for_pull(self, most: int) -> None:
        """Keep room for what a pull may bring; ``most`` is within the room to pull."""
        self._reserved += most

    def release(self, items: int) -> None:
        """The creation or the pull that had reserved them was answered."""
        self._reserved -= items

    def ask(self, keys: Iterable[AttemptKey]) -> tuple[AttemptKey, ...]:
        """Those that may be claimed now: neither held nor asked for, and within the room."""
        granted: list[AttemptKey] = []
        for key in keys:
            if self.room <= 0:
                break
            if key not in self._held and key not in self._asked:
                self._asked[key] = None
                granted.append(key)
        return tuple(granted)

    def answered(self, keys: Iterable[AttemptKey]) -> None:
        """A claim of these was answered, or will never be."""
        for key in keys:
            self._asked.pop(key, None)

    def wait(self, keys: Iterable[AttemptKey]) -> None:
        """Own attempts for which there was no room: claimed as soon as there is."""
        for key in keys:
            self._waiting[key] = self._reading
        while len(self._waiting) > self._most_waiting:
            self._waiting.popitem(last=False)  # a look finds it again

    def next_waiting(self) -> tuple[AttemptKey, ...]:
        """Take as many of the waiting as there is room for, oldest first, marked as asked for."""
        taken: list[AttemptKey] = []
        while self._waiting and self.room > 0:
            key, _ = self._waiting.popitem(last=False)
            taken += self.ask((key,))
        return tuple(taken)

    @property
    def waiting(self) -> int:
        """How many own attempts are known to wait for room."""
        return len(self._waiting)

    def begin_reading(self) -> None:
        """What can be claimed is being read: what waits from now on may not be in it."""
        self._reading += 1

    def forget_read(self) -> None:
        """That reading had all there was to read: what waited before it is there again, or gone."""
        for key in [key for key, reading in self._waiting.items() if reading < self._reading]:
            del self._waiting[key]

    def forget_waiting(self) -> None:
        """The store was away, or this node takes no more: what waits is found again by looking."""
        self._waiting.clear()

    def get(self, key: AttemptKey) -> Holding | None:
        """The holding of this attempt."""
        return self._held.get(key)

    def take(self, claimed: Claimed) -> Holding | None:
        """Hold it; None when this very claim is held already, or was: the store also answers with what is RUNNING
        here, and such an answer may come after the end was recorded. A newer claim of the same attempt replaces the
        older."""
        held = self._held.get(claimed.key)
        if self.is_over(claimed.key, claimed.claim_no):
            return None
        if held is not None and held.claim_no >= claimed.claim_no:
            return None
        if held is None or held.outcome is not None:
            self._live += 1
        if held is not None:
            self._going_back -= _goes_back(held)
        holding = self._held[claimed.key] = Holding(claimed)
        if self._waiting:
            self._waiting.pop(claimed.key, None)
        return holding

    def end(self, holding: Holding, outcome: Outcome) -> None:
        """It ended: its room is free, its outcome is to be recorded."""
        if holding.outcome is None:
            self._live -= 1
        else:
            self._going_back -= _goes_back(holding)
        holding.outcome = outcome
        self._going_back += _goes_back(holding)

    def drop(self, key: AttemptKey, claim_no: int) -> Holding | None:
        """The store has answered for it, or it is another's: forget it."""
        holding = self._held.get(key)
        if holding is None or holding.claimed.claim_no != claim_no:
            return None
        self.let_go(holding)
        return holding

    def let_go(self, holding: Holding) -> None:
        """The same of one that was just looked up."""
        key = holding.claimed.key
        del self._held[key]
        if key in self._over:
            self._over.move_to_end(key)
        self._over[key] = holding.claimed.claim_no
        if len(self._over) > OVER_KEPT:
            self._over.popitem(last=False)
        if holding.outcome is None:
            self._live -= 1
        else:
            self._going_back -= _goes_back(holding)

    def is_over(self, key: AttemptKey, claim_no: int) -> bool:
        """Whether this claim, or a newer one of the attempt, was held and dropped lately."""
        return self._over.get(key, 0) >= claim_no

    def clear(self) -> None:
        """This incarnation is dead: nothing is held any more."""
        self._held.clear()
        self._asked.clear()
        self._waiting.clear()
        self._live = self._going_back = 0
        self._reserved = 0


def _goes_back(holding: Holding) -> bool:
    """Whether it never began, and that is being recorded: no worker had it, or the workers handed it back."""
    outcome = holding.outcome
    if outcome is None:
        return False
    return not holding.launched or (outcome.status is AttemptStatus.PENDING and outcome.started_at is None)
