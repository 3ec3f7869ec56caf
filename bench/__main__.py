"""``make bench``: what the scheduler does on this machine, scenario by scenario, against its budget.

Each scenario starts its own servers and nodes, and is measured in rounds; a figure is the median of them. Machines are
noisy: look at medians and ratios of one run. Ends with 1 when a line of the budget is missed.
"""

from __future__ import annotations

import argparse
import sys

from bench.cluster import cluster
from bench.machine import machine
from bench.suite.answer import text
from bench.suite.lineup import SCENARIOS
from bench.suite.page import keep
from bench.suite.result import Result
from bench.suite.scenario import Scenario


def main() -> int:
    """The scenarios asked for, one after the other."""
    wanted = _arguments()
    with cluster(nodes=0, workers=1) as running, running.connect() as connection:
        facts = machine(connection)
    _say(", ".join(f"{name} {value}" for name, value in facts.items()))
    missed = 0
    for name in wanted.scenarios or [name for name, one in SCENARIOS.items() if not one.long]:
        result = _run(SCENARIOS[name], wanted.rounds, facts)
        _say(text(result.document()))
        missed += len(result.missed())
        if wanted.write:
            keep(result.document())
    return 1 if missed else 0


def _run(scenario: Scenario, rounds: int | None, facts: dict[str, str]) -> Result:
    measured = []
    for number in range(1, (rounds or scenario.rounds) + 1):
        sys.stderr.write(f"{scenario.name}: round {number}\n")
        measured.append(scenario.measure())
    return Result(scenario, measured, facts)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "scenarios",
        nargs="*",
        choices=[*SCENARIOS, []],
        metavar="SCENARIO",
        help=f"of {', '.join(SCENARIOS)}; all but the long ones",
    )
    parser.add_argument("--rounds", type=int, help="of each, in place of its own number")
    parser.add_argument("--write", action="store_true", help="renew docs/benchmarks.md and docs/benchmarks/")
    return parser.parse_args()


def _say(text: str) -> None:
    print(text, file=sys.stdout, flush=True)  # noqa: T201  a benchmark's output is what it prints


if __name__ == "__main__":
    sys.exit(main())
