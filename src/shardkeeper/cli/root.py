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
    "dev": ("dev", "Start a whole cluster on this machine and watch it."),
    "db": ("db", "Bring the database's schema up to this version."),
    "apply": ("specs", "Write spec files into the database."),
    "check": ("specs", "Judge spec files; asks no server."),
    "export": ("specs", "Print the database's specs as YAML."),
    "diff": ("specs", "How the database differs from spec files."),
    "jobs": ("jobs", "All jobs and how they do."),
    "job": ("jobs", "One job."),
    "next": ("next", "When an expression or a job is due."),
    "shards": ("shards", "Who owns which sharding item."),
    "nodes": ("nodes", "The nodes of the cluster."),
    "node": ("nodes", "One node; change its workers."),
    "runs": ("runs", "Runs, newest first."),
    "run": ("runs", "One run with its attempts and values."),
    "logs": ("runs", "What a run's tasks printed."),
    "submit": ("submit", "Have a job run once, on whichever node has room."),
    "trigger": ("orders", "Run a job now."),
    "stop": ("orders", "Stop runs."),
    "rerun": ("orders", "Run ended runs again."),
    "backfill": ("submit", "Runs for fires of the past that have none."),
    "pools": ("pools", "Limits that jobs share."),
    "pause": ("jobs", "Hold a job's scheduled fires."),
    "resume": ("jobs", "End a job's pause."),
    "drain": ("nodes", "Have a node hand its work over."),
    "undrain": ("nodes", "Have a node take part again."),
    "doctor": ("health", "Find what is wrong, and what mends it."),
    "config": ("health", "The settings in force."),
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
