"""`shardkeeper db`: the schema."""

from __future__ import annotations

from datetime import timedelta

import click

from shardkeeper.cli.options import answering, duration
from shardkeeper.cli.output import Output, print_json
from shardkeeper.node.compose_operations import current_schema, read_settings, upgrade_schema


@click.group()
def db() -> None:
    """Bring the database's schema up to this version, or say which it has."""


@db.command()
@click.option(
    "--timeout",
    type=duration,
    default="1 min",
    show_default=True,
    help="How long to try again while others hold what is to be changed.",
)
def upgrade(timeout: timedelta) -> None:
    """Install or upgrade the schema, while nodes go on working. Harmless when there is nothing to do."""

    def tell(line: str) -> None:
        click.echo(f"shardkeeper: {line}", err=True)

    revision = upgrade_schema(read_settings(), timeout.total_seconds(), tell)
    click.echo(f"The schema is at revision {revision}.")


@db.command()
@answering
def current(output: Output) -> None:
    """The schema's revision."""
    revision = current_schema(read_settings())
    if output.as_json:
        print_json({"revision": revision})
    else:
        click.echo(revision or "none: run `shardkeeper db upgrade`")
