"""`pools`: limits that jobs share."""

from __future__ import annotations

import click

from shardkeeper.cli.context import operations
from shardkeeper.cli.options import answering, watching
from shardkeeper.cli.output import Output, plain


@click.command()
@answering
@watching
def pools(output: Output) -> None:
    """The pools, how many attempts run in each, and how many wait to."""
    columns = [
        plain("POOL", "name"),
        plain("SIZE", "size", right=True),
        plain("RUNNING", "running", right=True),
        plain("WAITING", "waiting", right=True),
    ]
    output.rows(operations().runs.pools(), columns, "no pools: insert a row into shardkeeper.pool")
