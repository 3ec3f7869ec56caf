"""`shardkeeper db`: the schema."""

from __future__ import annotations

import click

from shardkeeper.cli.options import answering
from shardkeeper.cli.output import Output, print_json
from shardkeeper.node.compose_operations import current_schema, read_settings, upgrade_schema


@click.group()
def db() -> None:
    """Bring the database's schema up to this version, or say which it has."""


@db.command()
def upgrade() -> None:
    """Install or upgrade the schema, all in one transaction. Harmless when there is nothing to do."""
    revision = upgrade_schema(read_settings())
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
