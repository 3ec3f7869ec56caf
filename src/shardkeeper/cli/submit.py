"""`submit` and `backfill`: work on demand, and for fires of the past."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import IO, Any, Final

import click

from shardkeeper.cli.context import operations
from shardkeeper.cli.failures import REFUSED
from shardkeeper.cli.options import ahead, answering, instant, json_object, parameters, waiting
from shardkeeper.cli.output import Column, Output, coloured, note, plain, print_json, text
from shardkeeper.cli.runs import show_run
from shardkeeper.domain.runs import RunStatus
from shardkeeper.node.actor import actor
from shardkeeper.node.operations.backfill import DEFAULT_LIMIT

AT_ONCE: Final = 1000
"""Lines of a file in one transaction: a few tenths of a second, and a pipe may go on for ever."""


@click.command()
@click.argument("job")
@parameters
@click.option(
    "--params-json", "given", type=json_object, help="Parameters as one JSON object, below --param."
)
@click.option(
    "--from-file", type=click.File(), help="A run for each line, a JSON object of parameters; - is stdin."
)
@click.option("--at", type=ahead, help="Not before: an instant, or a duration from now.")
@click.option("--priority", type=click.IntRange(-100, 100), default=0, help="Larger first; 0: the job's.")
@click.option("--key", help="Once only: the same key gives the same run. Of a file: KEY:LINE.")
@waiting
@answering
def submit(
    output: Output,
    job: str,
    parameters: dict[str, Any],
    given: dict[str, Any] | None,
    from_file: IO[str] | None,
    at: datetime | None,
    priority: int,
    key: str | None,
    wait: bool,
    timeout: timedelta | None,
) -> None:
    """Have a job run once, or once for each line of a file, on whichever node has room."""
    found, timeout_s = operations().runs, None if timeout is None else timeout.total_seconds()
    over = {**(given or {}), **parameters}
    if from_file is not None:
        ids = []
        for numbers, lines in _batches(from_file, over):
            keys = None if key is None else [f"{key}:{number}" for number in numbers]
            ids += found.submit_many(job, lines, keys, priority, at, actor())
        _show_many(output, ids, found.wait_all(ids, timeout_s) if wait else None)
        return
    run_id = found.submit(job, over, key, priority, at, actor())
    if wait:
        note(f"run {run_id} is under way")
        found.wait(run_id, timeout_s)
    row = found.get(str(run_id))
    if wait or output.as_json:
        show_run(output, row)
    else:
        click.echo(f"{row['id']}  {row['name']}")
    if wait and row["status"] != RunStatus.COMPLETED:
        raise SystemExit(REFUSED)


@click.command()
@click.argument("job")
@click.option("--from", "since", type=instant, required=True, help="Fires at or after this instant.")
@click.option("--to", "until", type=instant, required=True, help="Fires before this instant.")
@click.option("--limit", type=click.IntRange(1), default=DEFAULT_LIMIT, show_default=True, help="No more.")
@answering
def backfill(output: Output, job: str, since: datetime, until: datetime, limit: int) -> None:
    """Runs for the fires of a job that have none, oldest first, each under the version that was in force then."""
    ids = operations().backfills.backfill(job, since, until, limit, actor())
    _show_ids(output, ids)
    if not ids:
        note("every fire in that time has a run")


def _batches(lines: IO[str], over: Mapping[str, Any]) -> Iterator[tuple[list[int], list[dict[str, Any]]]]:
    """Line numbers and parameters, some lines at a time; empty lines are passed over."""
    wanted = ((number, line) for number, line in enumerate(lines, 1) if line.strip())
    while batch := list(islice(wanted, AT_ONCE)):
        yield [number for number, _ in batch], [{**_line(number, line), **over} for number, line in batch]


def _line(number: int, line: str) -> dict[str, Any]:
    try:
        return json_object(line)
    except click.BadParameter as error:
        raise click.UsageError(f"line {number}: {error.message}") from error


def _show_many(output: Output, ids: list[int], ended: list[dict[str, Any]] | None) -> None:
    note(f"{len(ids)} runs {'were submitted' if ended is None else 'have ended'}")
    if ended is None:
        _show_ids(output, ids)
        return
    columns = [
        plain("RUN", "id", right=True),
        Column("STATUS", lambda row: coloured(text(row["status"]))),
        plain("RESULT", "result", fold=True),
        Column("WHY", lambda row: ": ".join(filter(None, (row["error_type"], text(row["error_message"]))))),
    ]
    output.rows(ended, columns, "no lines, hence no runs")
    if any(row["status"] != RunStatus.COMPLETED for row in ended):
        raise SystemExit(REFUSED)


def _show_ids(output: Output, ids: list[int]) -> None:
    if output.as_json:
        print_json([{"id": run_id} for run_id in ids])
    else:
        click.echo("".join(f"{run_id}\n" for run_id in ids), nl=False)
