"""The scenarios, in the order in which they run."""

from __future__ import annotations

from bench.scenarios import burst, calls, lateness, overhead, sustained
from bench.suite.scenario import Scenario

SCENARIOS: dict[str, Scenario] = {
    one.name: one
    for one in (
        lateness.SCENARIO,
        sustained.SCENARIO,
        burst.SCENARIO,
        calls.SCENARIO,
        overhead.SCENARIO,
    )
}
