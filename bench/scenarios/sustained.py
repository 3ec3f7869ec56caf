"""The highest rate of fires, each of one item, that is sustained: rungs of a ladder, each on a cluster of its own.

All jobs of a rung fire `every 1 s`, and so at the same instants: each second begins with a burst as large as the rate,
as it does for users.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.cluster import cluster
from bench.figures import percentile
from bench.processors import OTHERS
from bench.scenarios.fires import COMMIT_TIMES, Fire, is_sustained, lateness_s, read_fires, rising
from bench.scenarios.jobs import insert_jobs
from bench.scenarios.ladder import highest
from bench.scenarios.stretch import Stretch, watch
from bench.suite.curves import draw_curves
from bench.suite.scenario import Figure, Round, Scenario

LADDER = range(1_000, 8_001, 500)
NODES, WORKERS, SECONDS = 1, 2, 20
WARM_UP_S, SETTLE_S = 6, 2.5
STEP_S = 0.1


@dataclass(frozen=True, slots=True)
class Rung:
    """What became of the fires of one rate."""

    rate: int
    fires: Sequence[Fire]
    stretch: Stretch

    @property
    def due(self) -> int:
        return self.rate * self.stretch.seconds

    @property
    def sustained(self) -> bool:
        return is_sustained(self.fires, self.due)

    def text(self) -> str:
        """One line for the notes."""
        late = f", p99 {percentile(lateness_s(self.fires), 0.99):.2f} s" if self.fires else ""
        verdict = "sustained" if self.sustained else "not sustained"
        return f"{self.rate:,}/s: {verdict}, {len(self.fires):,} of {self.due:,} ran{late}"


def measure() -> Round:
    """Half of the ladder at a time."""
    climbed: dict[int, Rung] = {}

    def holds(rate: int) -> bool:
        climbed[rate] = climb(rate)
        return climbed[rate].sustained

    found = highest(LADDER, holds)
    notes = [climbed[rate].text() for rate in sorted(climbed)]
    if found is None:
        return Round({"rate": 0.0}, notes=notes)
    rung = climbed[found]
    return Round(figures(rung), rung.stretch.cores, samples(rung), notes)


def climb(rate: int, nodes: int = NODES, workers: int = WORKERS, isolation: str = "process") -> Rung:
    """As many one-item jobs as are to fire in each second."""
    with (
        cluster(nodes, workers, postgresql_conf=COMMIT_TIMES) as running,
        running.connect() as connection,
    ):
        insert_jobs(connection, rate, "1 s", isolation=isolation)
        stretch = watch(running, connection, SECONDS, WARM_UP_S, SETTLE_S)
        return Rung(rate, read_fires(connection, stretch.since, stretch.until), stretch)


def figures(rung: Rung) -> dict[str, float]:
    """Of a rung that is sustained."""
    fires = rung.fires
    began, last = fires[0].due_s, max(fire.due_s + fire.recorded_s for fire in fires)
    late = lateness_s(fires)
    return {
        "rate": rung.rate,
        "recorded": len(fires) / (last - began),
        "p50": percentile(late, 0.5) * 1000,
        "p99": percentile(late, 0.99) * 1000,
        "recorded_p99": percentile([fire.recorded_s for fire in fires], 0.99) * 1000,
        "cost": sum(cores for kind, cores in rung.stretch.cores.items() if kind != OTHERS) / rung.rate * 1e6,
    }


def samples(rung: Rung) -> dict[str, Sequence[float]]:
    """How many were due, and recorded, by the end of each step of the stretch."""
    since, steps = rung.stretch.since.timestamp(), round(rung.stretch.seconds / STEP_S)
    return {
        "due": rising((fire.due_s for fire in rung.fires), since, STEP_S, steps),
        "recorded": rising((fire.due_s + fire.recorded_s for fire in rung.fires), since, STEP_S, steps),
    }


SCENARIO = Scenario(
    "sustained",
    "Fires per second, sustained",
    f"as many one-item jobs as the rate says, all of them `every 1 s`, so that each second begins with a burst of all; "
    f"{NODES} node of {WORKERS} workers, isolation `process`. A rate is sustained when in {SECONDS} s after "
    f"{WARM_UP_S} s of warming up all fires ran, 99 of 100 began within a second of their fire time, and they did not "
    f"get later and later. The highest of {LADDER[0]:,}, {LADDER[1]:,} ... {LADDER[-1]:,}/s is looked for by halving, "
    "each rate on servers of its own; the other figures are those of the rate that was found.",
    (
        Figure("rate", "fires per second, sustained", "/s", at_least=2_000),
        Figure("recorded", "fires per second from the first fire time to the last commit", "/s"),
        Figure("p50", "lateness, half of the fires within", "ms"),
        Figure("p99", "99 of 100 within", "ms"),
        Figure("recorded_p99", "99 of 100 recorded within, from the fire time", "ms"),
        Figure("cost", "processor time of nodes and servers for each fire", "µs"),
    ),
    measure,
    draw=draw_curves({"due": "due", "recorded": "recorded"}, STEP_S, "fires"),
)
