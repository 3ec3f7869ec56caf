"""``make bench-on-demand``: work on demand, ours and others', in one run on one machine.

Starts its own PostgreSQL (which flushes its commits), ZooKeeper and one node with two workers, and measures, each
figure the median of the rounds: how many submissions one client makes per second, one by one and in bulk; how many
no-op tasks per second are drained from a backlog, each a run of its own with its outcome recorded; and how soon a
task begins that is submitted while nothing else is to be done.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path

from bench.cluster import Cluster, cluster
from bench.idle import AWAKE, kept_awake
from bench.machine import machine
from bench.on_demand.answer import HEAD, cells, notes
from bench.on_demand.bare import BareInserts
from bench.on_demand.contenders import measure
from bench.on_demand.lineup import ours, peers
from bench.on_demand.options import Options
from bench.on_demand.page import document, page, place
from bench.on_demand.rows import Row
from bench.tables import text_table


def main() -> None:
    wanted = _arguments()
    options = Options(
        wanted.tasks,
        min(wanted.singles, wanted.tasks // 2),
        wanted.samples,
        wanted.rounds,
        sql=wanted.sql,
        awake=wanted.awake,
    )
    with (
        kept_awake() if options.awake else nullcontext(),
        cluster(nodes=0, workers=options.workers) as running,
    ):
        with running.connect() as connection:
            facts = machine(connection)
        if options.awake:
            facts["idle processors"] = AWAKE
        _say(", ".join(f"{name} {value}" for name, value in facts.items()))
        rows = _rows(running, options, wanted)
    _say(text_table(HEAD, [cells(row) for row in rows]))
    for note in notes(rows):
        _say(note)
    if wanted.json:
        wanted.json.write_text(json.dumps(document(rows, options, facts), indent=1) + "\n")
    if wanted.write:
        place(options).parent.mkdir(parents=True, exist_ok=True)
        place(options).write_text(page(rows, options, facts))


def _rows(running: Cluster, options: Options, wanted: argparse.Namespace) -> list[Row]:
    with ExitStack() as stack:
        contenders = [] if wanted.peers is not None else [*stack.enter_context(ours(running, options))]
        missing: Sequence[Row] = ()
        pace = BareInserts(stack.enter_context(running.connect()))
        if not wanted.ours:
            others, missing = stack.enter_context(peers(running, options, wanted.peers or ()))
            contenders += others
        return [*measure(contenders, options.rounds, pace.per_second, _progress), *missing]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.on_demand",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    standard = Options()
    parser.add_argument("--ours", action="store_true", help="Shardkeeper alone, no peers")
    parser.add_argument(
        "--peers", nargs="*", metavar="NAME", help="peers alone: all, or those whose names have one of these"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="the figures for programs")
    parser.add_argument("--write", action="store_true", help="renew the page in docs/benchmarks")
    parser.add_argument("--tasks", type=int, default=standard.tasks, help="a backlog's (%(default)s)")
    parser.add_argument(
        "--singles", type=int, default=standard.singles, help="of them submitted one by one (%(default)s)"
    )
    parser.add_argument("--samples", type=int, default=standard.samples, help="pick-ups (%(default)s)")
    parser.add_argument("--rounds", type=int, default=standard.rounds, help="(%(default)s)")
    parser.add_argument("--sql", action="store_true", help="submit by SQL also where there is a client")
    parser.add_argument(
        "--awake",
        action="store_true",
        help="keep idle processors from halting (/dev/cpu_dma_latency; root), and write a page of its own",
    )
    return parser.parse_args()


def _progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201  one line a round, for who waits


def _say(text: str) -> None:
    print(text, file=sys.stdout, flush=True)  # noqa: T201  a benchmark's output is what it prints


if __name__ == "__main__":
    main()
