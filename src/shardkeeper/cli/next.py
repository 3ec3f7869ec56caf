"""`next`: when an expression or a job is due."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from shardkeeper.cli.context import operations
from shardkeeper.cli.options import answering, instant, one_line
from shardkeeper.cli.output import Output, notes, print_json
from shardkeeper.node.operations.jobs import MOST_FIRES, fires_of_expression, is_job_name


@click.command()
@click.argument("what", metavar="EXPR_OR_JOB", nargs=-1, required=True)
@click.option(
    "-n", "count", type=click.IntRange(1, MOST_FIRES), default=5, show_default=True, help="How many."
)
@click.option("--from", "start", type=instant, default=None, help="After this instant; default: now.")
@answering
def next(output: Output, what: tuple[str, ...], count: int, start: datetime | None) -> None:
    """The next fire times of a cron expression, of a period such as "30 s", or of a job (which asks the database)."""
    name, after = one_line(what), start or datetime.now(UTC)
    if is_job_name(name):
        answer = operations().jobs.next_fires(name, after, count)
        notes(answer.notes)
        fires = answer.value
    else:
        fires = fires_of_expression(name, after, count)
    if output.as_json:
        print_json(fires)
    else:
        for fire in fires:
            click.echo(output.time(fire))
