"""`shardkeeper dev`: a whole cluster on this machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click
from rich.console import Console

from shardkeeper.dev.options import DevOptions
from shardkeeper.dev.session import run_dev
from shardkeeper.dev.state import default_folder


@click.command()
@click.option("--nodes", type=click.IntRange(1, 20), help="How many nodes, each a process.  [default: 3]")
@click.option("--seconds", type=click.FloatRange(min=1), help="End by itself after so long, with a summary.")
@click.option("--fresh", is_flag=True, help="Forget what earlier runs left.")
@click.option("--standalone", is_flag=True, help="One node without ZooKeeper and Java.")
@click.option(
    "--jobspecs",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path("jobspecs"),
    show_default=True,
    help="Folder of spec files; modules beside them may be run, scripts lie in its folder scripts/.",
)
def dev(nodes: int | None, seconds: float | None, fresh: bool, standalone: bool, jobspecs: Path) -> None:
    """Start a whole cluster on this machine and watch it.

    An embedded PostgreSQL, a ZooKeeper, three nodes as processes, price feeds for the sample jobs, and a Slack whose
    inbox is shown here. Everything is kept in /var/tmp/shardkeeper-dev-UID (or SHARDKEEPER_STATE_DIR) between runs.

    A node that dies is reported and not started again: watch the others take its work. Ctrl-C ends everything. With
    --seconds, exit 1 when a job that should have succeeded has not, or a node died by itself; jobs labelled
    expected=failure are to fail, and their alert to arrive.
    """
    console = Console(width=None if sys.stdout.isatty() else 160, soft_wrap=not sys.stdout.isatty())
    options = DevOptions(
        nodes=nodes or (1 if standalone else 3),
        seconds=seconds,
        fresh=fresh,
        standalone=standalone,
        jobspecs=jobspecs.absolute(),
        state=default_folder(os.environ, jobspecs),
        live=sys.stdout.isatty(),
    )
    if not run_dev(options, console):
        raise SystemExit(1)
