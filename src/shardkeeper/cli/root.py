"""The group of all commands. Each command's module is loaded when it is called, so that none pays for another's."""

from __future__ import annotations

import importlib
from importlib.metadata import version
from typing import Any, Final

import click

from shardkeeper.cli.failures import Failure
from shardkeeper.domain.errors import ShardkeeperError

COMMANDS: Final = {
    "agent": ("agent", "Run a node: the daemon."),
    "db": ("db", "Bring the database's schema up to this version."),
}
"""Name of the command, the module here that has it, and its line in the help."""


class Commands(click.Group):
    """Finds commands by name, and turns errors of ours into exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, its module loaded; None where there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"shardkeeper.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """From the table alone: help loads nothing."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """See click. Raises Failure for errors of ours."""
        try:
            return super().invoke(ctx)
        except ShardkeeperError as error:
            raise Failure(error) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(version("shardkeeper"), prog_name="shardkeeper")
def main() -> None:
    """Shardkeeper: jobs are rows in PostgreSQL, spread over the nodes of a cluster.

    Settings come from SHARDKEEPER_CONFIG (a TOML file) and SHARDKEEPER_... variables; `shardkeeper config` shows them.
    """
