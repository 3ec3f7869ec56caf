"""`trigger`, `stop`, `rerun`: orders about runs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import click

from shardkeeper.cli.context import operations
from shardkeeper.cli.failures import REFUSED
from shardkeeper.cli.options import ago, answering, instant, parameters, waiting
from shardkeeper.cli.output import Output, note, print_json
from shardkeeper.cli.runs import show_run
from shardkeeper.domain.runs import RunStatus
from shardkeeper.node.actor import actor

NEWEST = 50
"""How many dead letters are run again at once, unless all are asked for."""


@click.command()
@click.argument("job")
@parameters
@click.option("--item", type=click.IntRange(0), help="Only this item.")
@click.option("--fire-time", type=instant, help="The run's fire time; default: PostgreSQL's clock.")
@waiting
@answering
def trigger(
    output: Output,
    job: str,
    parameters: dict[str, Any],
    item: int | None,
    fire_time: datetime | None,
    wait: bool,
    timeout: timedelta | None,
) -> None:
    """Run a job now, beside its schedule."""
    found = operations().runs
    row = found.trigger(job, parameters, item, fire_time, actor())
    if wait:
        note(f"run {row['id']} is under way")
        row = found.wait(row["id"], None if timeout is None else timeout.total_seconds())
    show_run(output, row)
    if wait and row["status"] != RunStatus.COMPLETED:
        raise SystemExit(REFUSED)


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
def stop(runs: tuple[str, ...]) -> None:
    """Stop runs: what waits is closed, what runs is asked to end, then killed."""
    found = operations().runs
    for run in runs:
        asked = found.stop(run, actor())
        click.echo(f"{run} is being stopped." if asked else f"{run} had ended.")


@click.command()
@click.argument("runs", metavar="[RUN]...", nargs=-1)
@click.option("--job", help="In place of RUN: the FAILED runs of this job that were not run again yet.")
@click.option("--since", type=ago, help="With --job: fire times from this instant, or so long ago.")
@click.option("--all", "every", is_flag=True, help=f"With --job: all of them, not only the newest {NEWEST}.")
@parameters
@click.option("--same-version", is_flag=True, help="Under the version it ran under; default: the newest.")
@answering
def rerun(
    output: Output,
    runs: tuple[str, ...],
    job: str | None,
    since: datetime | None,
    every: bool,
    parameters: dict[str, Any],
    same_version: bool,
) -> None:
    """Run ended runs again: the same fire times and parameters, from the checkpoints of items not COMPLETED."""
    found = operations().runs
    if bool(runs) == (job is not None) or (job is None and (since is not None or every)):
        raise click.UsageError("Give runs, or --job (with --since, --all).")
    if job is not None:
        runs = tuple(found.dead_letters(job, since, None if every else NEWEST))
        if not runs:
            note(f"no failed runs of {job} are left to be run again")
    new = []
    for old in runs:
        new.append(found.rerun(old, parameters, same_version, actor()))
        if not output.as_json:
            click.echo(f"{old} runs again as {new[-1]['id']}.")
    if output.as_json:
        print_json(new)
