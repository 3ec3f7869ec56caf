"""One node's planner among many, with a great many jobs: the real one, by itself, with no I/O.

    python -m bench.planner_scale [--jobs 1000000] [--nodes 1000] [--due 2000] [--seconds 5]

``--due``: how many of the jobs fire each second; the others are due once a day, in 1,440 schedules. Prints JSON:
seconds, bytes, and microseconds for each job that is due. All time is the processor's.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

import psutil

from shardkeeper.domain.catalog import ImplHistory, ImplInForce, JobHistory
from shardkeeper.domain.leases import BeatAnswer, JoinAnswer, Lease, LeaseState
from shardkeeper.domain.planner.actions import Action, Create, Wake
from shardkeeper.domain.planner.events import (
    Beaten,
    CapacityChanged,
    Event,
    JoinAnswered,
    LookOn,
    Moment,
    RunsUnanswered,
    SpecsRead,
    Started,
    TimerFired,
    ViewSeen,
)
from shardkeeper.domain.planner.planner import Planner
from shardkeeper.domain.planner.settings import PlannerSettings
from shardkeeper.domain.specs import ImplSpec, ImplVersion, JobSpec, JobVersion, Kind
from shardkeeper.domain.view import Member, View

BEGIN = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
LONG_AGO = BEGIN - timedelta(days=1)
IMPL = ImplHistory((ImplInForce(LONG_AGO, None, ImplVersion(ImplSpec("impl", Kind.PYTHON, "m:C"), (), 1)),))
ME, CAPACITY = "node-0", 1_000_000
"""``CAPACITY``: room for all, so that every creation goes out at once."""
SECOND = timedelta(seconds=1)


def main() -> None:
    """Print what `measured` finds."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.planner_scale",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--nodes", type=int, default=1_000)
    parser.add_argument("--due", type=int, default=2_000)
    parser.add_argument("--seconds", type=int, default=5)
    wanted = parser.parse_args()
    json.dump(measured(wanted.jobs, wanted.nodes, wanted.due, wanted.seconds), sys.stdout)


def measured(jobs: int, nodes: int, due: int, seconds: int) -> dict[str, float]:
    """``take_up_s``: to take up all specs, once they are read; ``job_bytes``: of memory, per job; ``beat_s``: an
    answered beat, not the first, that tells of all leases; ``second_s``: the jobs that are due in a second;
    ``due_us``: the same per job; ``own``: how many of these were this node's; ``view_s``: from a view in which a node
    is missing to the end of the look-back that it asks for; ``view_first_s``: until it can turn to something else."""
    bench = _Bench(nodes)
    before = _resident()
    histories = {f"job-{number}": JobHistory((_version(number, due),)) for number in range(jobs)}
    read = [SpecsRead(histories, {"impl": IMPL}, True)]
    del histories
    take_up_s = timed(lambda: bench.tell(read.pop()))
    gc.collect()
    job_bytes = (_resident() - before) / jobs
    bench.beat()
    bench.see(nodes)
    bench.look_back()
    beat_s = timed(bench.beat)
    own, spent_s = 0, 0.0
    for _ in range(seconds):
        bench.moment = Moment(bench.moment.now + SECOND, bench.moment.mono + 1)
        began = time.process_time()
        actions = bench.tell(TimerFired("schedule-1"))
        spent_s += time.process_time() - began
        own += len(bench.answer(actions))
    view_first_s = timed(lambda: bench.see(nodes - 1))
    view_s = view_first_s + timed(bench.look_back)
    return {
        "take_up_s": take_up_s,
        "job_bytes": job_bytes,
        "beat_s": beat_s,
        "view_first_s": view_first_s,
        "view_s": view_s,
        "second_s": spent_s / seconds,
        "due_us": spent_s / seconds / due * 1e6,
        "own": own / seconds,
    }


class _Bench:
    """A planner that has a lease, and the store's answers."""

    def __init__(self, nodes: int) -> None:
        numbers = count(1)
        settings = PlannerSettings(ME, fire_piece=1_000_000)
        self.planner = Planner(settings, lambda: f"life-{next(numbers)}", lambda: 0.5)
        self.moment = Moment(BEGIN, 0.0)
        self._nodes, self._epochs = nodes, count(1)
        self._later: deque[Event] = deque()
        self.tell(CapacityChanged(CAPACITY, fit=True))
        self.tell(Started())
        self.tell(JoinAnswered(self.incarnation, JoinAnswer(True, None, BEGIN), 0.0))

    @property
    def incarnation(self) -> str:
        return self.planner.mind.incarnation

    def tell(self, event: Event) -> list[Action]:
        """What it wants done; what it wants to be told again about a look-back is kept for `look_back`."""
        actions = self.planner.handle(event, self.moment)
        self._later += [
            one.event for one in actions if isinstance(one, Wake) and isinstance(one.event, LookOn)
        ]
        return actions

    def beat(self) -> None:
        """All nodes have a lease, the answer says."""
        others = (
            Lease(f"node-{number}", f"of-{number}", 1, LeaseState.ACTIVE) for number in range(1, self._nodes)
        )
        leases = (Lease(ME, self.incarnation, 1, LeaseState.ACTIVE), *others)
        answer = BeatAnswer(True, leases, (), False, None, None, self.moment.now)
        self.tell(Beaten(self.incarnation, answer, self.moment.mono))

    def see(self, nodes: int) -> None:
        """A view with so many nodes, this one among them."""
        members = tuple(Member(f"node-{number}", f"of-{number}") for number in range(nodes))
        self.answer(self.tell(ViewSeen(View("line", next(self._epochs), "leader", members, BEGIN))))

    def look_back(self) -> None:
        """Go on until it has looked at everything inside the on-time window."""
        while self._later:
            self.answer(self.tell(self._later.popleft()))

    def answer(self, actions: list[Action]) -> list[Create]:
        """The creations among them; the store does not answer, so that nothing of them stays."""
        creates = [one for one in actions if isinstance(one, Create)]
        if creates:
            self.tell(RunsUnanswered(self.incarnation, tuple(one.request for one in creates)))
        return creates


def timed(work: Callable[[], object]) -> float:
    """Processor seconds of this process."""
    began = time.process_time()
    work()
    return time.process_time() - began


def _version(number: int, due: int) -> JobVersion:
    """The first ones fire each second: theirs is the first schedule."""
    if number < due:
        spec = JobSpec(f"job-{number}", "impl", every=SECOND)
    else:
        spec = JobSpec(f"job-{number}", "impl", cron=f"{number % 60} {number // 60 % 24} * * *")
    return JobVersion(spec, number + 1, LONG_AGO)


def _resident() -> int:
    return int(psutil.Process().memory_info().rss)


if __name__ == "__main__":
    main()
