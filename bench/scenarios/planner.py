"""A node's planner among a thousand nodes, with a million jobs (bench/planner_scale.py)."""

from __future__ import annotations

import json
import subprocess
import sys

from bench.scenarios.scaling import renew
from bench.suite.scenario import Figure, Round, Scenario

JOBS, DUE, SECONDS = 1_000_000, 200, 10
NODES = (10, 1_000)
FEW_JOBS = 10_000


def measure() -> Round:
    """Each number of nodes with a process of its own; only one with all the jobs, since the look at a fire does not
    depend on how many others there are."""
    figures: dict[str, float] = {}
    for nodes in NODES:
        found = _measured(JOBS if nodes == NODES[-1] else FEW_JOBS, nodes)
        figures.update({f"{name}_{nodes}": figure for name, figure in found.items()})
    return Round(figures)


def _measured(jobs: int, nodes: int) -> dict[str, float]:
    asked = {"jobs": jobs, "nodes": nodes, "due": DUE, "seconds": SECONDS}
    options = [word for name, value in asked.items() for word in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "bench.planner_scale", *options]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, float] = json.loads(told)
    return found


SCENARIO = Scenario(
    "planner",
    "The planner of one node among a thousand, with a million jobs",
    "The planner alone, in a process of its own, without stores or workers; time is the processor's. It takes up "
    f"{JOBS:,} jobs, {DUE} of which fire every second and the others once a day on 1,440 schedules; its view has "
    f"{' and '.join(f'{nodes:,}' for nodes in NODES)} members (with 10 of them, {FEW_JOBS:,} jobs). Of each fire it "
    "finds out whether it is its own. After a change of the view it looks again at all fires of the last 30 s, in "
    "pieces of 2,000, between which it can turn to something else. Whose a job is that fires is worked out when it is "
    "first asked under a view, and remembered.",
    (
        Figure("take_up_s_1000", f"{JOBS:,} jobs taken up, once they are read", "s"),
        Figure("job_bytes_1000", "memory per job, with 1,000 nodes", "bytes"),
        Figure("due_us_10", "a look at a fire, among 10 nodes", "µs"),
        Figure("due_us_1000", "a look at a fire, among 1,000 nodes", "µs"),
        Figure("second_s_1000", f"a second in which {DUE} jobs are due, among 1,000 nodes", "s"),
        Figure("beat_s_1000", "an answered beat that tells of 1,000 leases", "s"),
        Figure("view_first_s_1000", "a new view of 1,000 nodes: the first piece", "s"),
        Figure("view_s_1000", f"and all {DUE * 30:,} fires of the last 30 s", "s"),
    ),
    measure,
    rounds=3,
    kept=renew,
)
