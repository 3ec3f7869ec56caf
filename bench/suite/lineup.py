"""The scenarios, in the order in which they run."""

from __future__ import annotations

from bench.scenarios import lateness
from bench.suite.scenario import Scenario

SCENARIOS: dict[str, Scenario] = {one.name: one for one in (lateness.SCENARIO,)}
