"""``make bench-peers``: schedules that fire every second, ours and others', in one run on one machine.

More and more schedules fire, each every second, until a system loses fires or starts one of a hundred more than a
second late; then many are due at one instant. Each task tells when it began. Peers run from their published packages,
each in an environment of its own, on a PostgreSQL that flushes its commits, or a Redis of their own.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import psycopg

from bench.machine import machine
from bench.schedules.answer import HEAD, OURS, STEPS_HEAD, notes, steps, summary
from bench.schedules.contender import Contender
from bench.schedules.options import QUICK, Options
from bench.schedules.ours import Ours
from bench.schedules.page import keep
from bench.schedules.peer import PEERS
from bench.schedules.peer_runs import PeerContender
from bench.schedules.rounds import measure
from bench.schedules.row import Row
from bench.tables import text_table
from shardkeeper.devservers.postgres_server import PostgresOptions, PostgresServer


def main() -> None:
    wanted = _arguments()
    # what was started is ended, also when this is stopped from outside
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    options = _options(wanted)
    with tempfile.TemporaryDirectory(prefix="shardkeeper-bench-", dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        with PostgresServer(Path(folder) / "postgres", options=PostgresOptions(durable=True)) as postgres:
            with psycopg.connect(postgres.url()) as connection:
                facts = machine(connection)
            _say(", ".join(f"{name} {value}" for name, value in facts.items()))
            rows = measure(_contenders(postgres, options, wanted.systems), options, _progress)
    _tell(rows, options)
    if wanted.write:
        keep(rows, options, facts)


def _contenders(postgres: PostgresServer, options: Options, systems: Sequence[str]) -> list[Contender]:
    """Those whose name contains one of ``systems``; all where that is empty."""
    everybody: list[Contender] = [Ours(options), *(PeerContender(peer, postgres, options) for peer in PEERS)]
    return [
        one for one in everybody if not systems or any(word.lower() in one.name.lower() for word in systems)
    ]


def _tell(rows: Sequence[Row], options: Options) -> None:
    _say(text_table(HEAD, summary(rows, options.ladder[-1])))
    _say(text_table(STEPS_HEAD, steps(rows)))
    for note in notes(rows):
        _say(note)


def _options(wanted: argparse.Namespace) -> Options:
    standard = QUICK if wanted.quick else Options()
    return replace(
        standard,
        ladder=tuple(wanted.ladder or standard.ladder),
        seconds=wanted.seconds or standard.seconds,
        burst=wanted.burst or standard.burst,
        rounds=wanted.rounds or standard.rounds,
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.schedules",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    standard = Options()
    parser.add_argument(
        "systems", nargs="*", metavar="SYSTEM", help=f"whose name contains it ({OURS}, ...); all"
    )
    parser.add_argument("--quick", action="store_true", help=f"one short round: {QUICK}")
    parser.add_argument("--write", action="store_true", help="renew docs/benchmarks/schedules.*")
    parser.add_argument("--rounds", type=int, help=f"({standard.rounds})")
    parser.add_argument("--seconds", type=int, help=f"of each step, even ({standard.seconds})")
    parser.add_argument("--burst", type=int, help=f"schedules due at one instant ({standard.burst})")
    parser.add_argument("--ladder", type=int, nargs="+", help=f"schedules of each step ({standard.ladder})")
    return parser.parse_args()


def _progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201  a line for each figure, for who waits


def _say(text: str) -> None:
    print(text, file=sys.stdout, flush=True)  # noqa: T201  a benchmark's output is what it prints


if __name__ == "__main__":
    main()
