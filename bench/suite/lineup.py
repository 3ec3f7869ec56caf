"""The scenarios, in the order in which they run."""

from __future__ import annotations

from bench.scenarios import (
    burst,
    calls,
    change,
    costs,
    growth_history,
    growth_jobs,
    growth_nodes,
    lateness,
    memory,
    overhead,
    planner,
    quiet,
    specs,
    sustained,
    takeover,
    view,
)
from bench.suite.scenario import Scenario

SCENARIOS: dict[str, Scenario] = {
    one.name: one
    for one in (
        lateness.SCENARIO,
        sustained.SCENARIO,
        burst.SCENARIO,
        calls.SCENARIO,
        overhead.SCENARIO,
        specs.SCENARIO,
        change.SCENARIO,
        view.SCENARIO,
        takeover.SCENARIO,
        quiet.SCENARIO,
        growth_jobs.SCENARIO,
        growth_nodes.SCENARIO,
        growth_history.SCENARIO,
        costs.SCENARIO,
        planner.SCENARIO,
        memory.SCENARIO,
    )
}
