"""`shardkeeper db`: the schema."""

from __future__ import annotations

import click

from shardkeeper.cli.options import as_json
from shardkeeper.cli.output import print_json
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
@as_json
def current(json: bool) -> None:
    """The schema's revision."""
    revision = current_schema(read_settings())
    if json:
        print_json({"revision": revision})
    else:
        click.echo(revision or "none: run `shardkeeper db upgrade`")
