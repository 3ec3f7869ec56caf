"""``make faults``: real faults on real processes, judged.

Starts an ensemble of three ZooKeepers, a PostgreSQL that flushes its commits, a Slack that is not, and five nodes; lets
several hundred jobs of all kinds fire and a stream of tasks be submitted; and lets one nemesis after the other strike:
nodes are killed and frozen, servers crash and stay away, links are cut, stalled and half open, a clock is stepped, a
disk is full (bench/faults/nemeses). Then all is healed and comes to rest, and the whole history is judged. Exit 1 names
what does not hold; the folder with the nodes' logs and what the tasks told is kept then.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
from dataclasses import fields
from pathlib import Path

from bench.faults.figures import figures
from bench.faults.nemeses.lineup import NEMESES
from bench.faults.options import Options
from bench.faults.page import write_page
from bench.faults.report import lines
from bench.faults.verdict import verdict

_TEXTS = {
    "seed": "of the jobs, of what is submitted, and of what is struck in which order",
    "nodes": "how many run",
    "workers": "of each node",
    "jobs": "how many fire by the clock",
    "submissions_per_s": "tasks submitted in a second",
    "scale": "of how long each nemesis holds",
    "outage_s": "seconds for which a store is away entirely",
    "calm_s": "seconds between two nemeses, about",
    "session_timeout_s": "the nodes' session_timeout",
    "on_time_window_s": "the nodes' on_time_window",
    "statement_timeout_s": "the nodes' statement_timeout",
    "patience_s": "seconds that anything may take which has to come by itself",
}


def main() -> None:
    options, write = _arguments()
    _say(" ".join(f"{field.name}={getattr(options, field.name)}" for field in fields(options)))
    # servers and mounts are to go with us however we are told to end
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    folder = Path(tempfile.mkdtemp(prefix="shardkeeper-faults-", dir="/var/tmp"))
    found = verdict(options, folder, _say)
    measured = figures(found.history)
    for name, why in found.told.left_out.items():
        _say(f"left out: {name}: {why}")
    for line in lines(measured, found.violations):
        _say(line)
    if write:
        write_page(found.history, measured, found.violations, found.machine)
    if found.violations:
        _say(f"logs and witness: {folder}")
        sys.exit(1)
    shutil.rmtree(folder)


def _arguments() -> tuple[Options, bool]:
    parser = argparse.ArgumentParser(
        prog="python -m bench.faults",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    standard = Options()
    for name, text in _TEXTS.items():
        value = getattr(standard, name)
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=type(value), default=value, help=f"{text} (%(default)s)"
        )
    parser.add_argument(
        "--nemesis",
        action="append",
        choices=sorted(NEMESES),
        metavar="NAME",
        help=f"one that strikes; may be given again (all: {', '.join(sorted(NEMESES))})",
    )
    parser.add_argument("--write", action="store_true", help="write docs/reliability with what came of it")
    given = vars(parser.parse_args())
    write, nemeses = given.pop("write"), tuple(given.pop("nemesis") or ())
    return Options(**given, nemeses=nemeses), write


def _say(text: str) -> None:
    print(text, file=sys.stdout, flush=True)  # noqa: T201  a benchmark's output is what it prints


if __name__ == "__main__":
    main()
