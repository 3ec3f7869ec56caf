"""``make bench``: what the engine does on this machine, in one run.

Prints lateness of 30 and of 500 one-item jobs that fire each second on three nodes, then claims and outcomes per
second through the protocol's own calls, each with the processor's share beside it. Machines are noisy: look at
medians and ratios of one run.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys

from bench import lateness, store
from bench.cluster import cluster


def main() -> None:
    """Every scenario, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--seconds", type=int, default=20, help="how long each lateness is measured (default 20)"
    )
    seconds = parser.parse_args().seconds
    _say(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    )
    _say(
        "\nLateness, fire time to initialize starting; three nodes of two workers, everything on this machine"
    )
    for jobs in (30, 500):
        _say(lateness.measure(jobs, seconds).line())
    _say("\nThe protocol's calls, one client")
    with cluster(nodes=0, workers=1) as running:
        store.measure(running.url)


def _say(text: str) -> None:
    print(text, file=sys.stdout, flush=True)  # noqa: T201  a benchmark's output is what it prints


if __name__ == "__main__":
    main()
