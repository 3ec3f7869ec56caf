"""What has become of the fires that were due."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from bench.faults.history import History
from bench.faults.promises.fires import covers_of


@dataclass(frozen=True, slots=True)
class Accounts:
    """Every fire that was due stands in one of these: ``ran``, on time; ``made_up``, by the sweep; ``skipped``,
    ``missed``, by the job's policy; ``lost``, where nothing tells of it."""

    due: int
    ran: int
    made_up: int
    skipped: int
    missed: int
    lost: int


LOST = "lost"


def fates(history: History) -> Iterator[tuple[str, float, str]]:
    """Of every fire up to the sweep's watermark: the job, the fire time and what has become of it."""
    for job in history.jobs.values():
        for fire, covers in covers_of(history, job).items():
            if not covers:
                yield job.name, fire, LOST
            elif covers[0].status in ("SKIPPED", "MISSED"):
                yield job.name, fire, covers[0].status.lower()
            else:
                yield job.name, fire, "ran" if covers[0].trigger_kind == "schedule" else "made_up"


def accounts(history: History) -> Accounts:
    """Counted."""
    count = Counter(fate for _, _, fate in fates(history))
    return Accounts(
        count.total(), count["ran"], count["made_up"], count["skipped"], count["missed"], count[LOST]
    )
