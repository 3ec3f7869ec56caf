"""The numbers a planner works by. All are seconds of the monotonic clock unless said otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PlannerSettings:
    node_id: str
    lease_s: float = 4.0
    """How long a beat is good for; the beat is raised every quarter of it."""
    on_time_window_s: float = 30.0
    """How old a fire may be for its owner to create its run by itself."""
    weight: float = 1.0
    labels: Mapping[str, str] = field(default_factory=dict)
    pending_period_s: float = 1.0
    """Between two looks at the PENDING attempts."""
    pending_limit: int = 2_000
    adoption_delay_s: float = 2.0
    """How long an attempt lies before the next in rank may take it; one such delay per rank."""
    unrunnable_after_s: float = 60.0
    """How long an attempt waits for any node that has the labels and the code."""
    lead_s: float = 0.02
    """How long before its time a fire is asked for: the store prepares its run, and commits it when that has come. Less
    than what a store waits for (``ports.runs.WAITED_FOR_S``), or it answers that it is too early."""
    claim_after_s: float = 0.008
    """When an owner that is not the first asks for its items of a run that the first one creates."""
    create_after_s: float = 0.02
    """When it creates the run itself; both are counted from the fire time, or from when it is looked at later."""
    create_period_s: float = 0.1
    create_piece: int = 250
    """Runs that are created in each period at least, whether or not there is room for their items."""
    ahead_s: float = 0.1
    """Attempts are claimed ahead of free workers for so many seconds of work: hides the round trip to the store."""
    most_ahead: int = 512
    busy_at: int = 90
    """Percent of what the node holds at the most from which on it pulls nothing."""
    pull_again_s: tuple[float, ...] = (0.025, 0.1)
    """After a hint of work, when to look again: hints are gathered for 20 ms, and a commit may come after its hint."""
    unbegun_s: float = 3.0
    """How long an attempt without an owner may lie here before it begins; then it goes back to the queue."""
    most_waiting: int = 20_000
    """Own attempts without room that are remembered; the oldest beyond them are found again by looking."""
    skew_limit_s: float = 2.0
    """Difference from the store's clock beyond which the node takes no work and says so."""
    halt_after_s: float = 5.0
    """How long a task that is asked to stop has before it is killed with its children."""
    drain_halt_s: float = 2.0
    """The same at the end of the grace period of a drain, when the node is waiting to go."""
    last_word_s: float = 7.0
    """From then on, how long what was halted has to be recorded before the node goes anyway; longer than the halt."""
    fire_piece: int = 100
    """Fires of one instant gone through in one piece, so that the first may begin before the last is looked at."""
    look_back_piece: int = 2_000
    """Fires looked at in one piece of a look-back."""
    take_up_piece: int = 1_000
    """Changed jobs taken up in one piece; about 20 ms."""

    @property
    def beat_period_s(self) -> float:
        return self.lease_s / 4

    @property
    def handover_s(self) -> float:
        """How long a draining node goes on creating: two lease readings of the others, and one more for what
        is under way."""
        return 3 * self.beat_period_s
