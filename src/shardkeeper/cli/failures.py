"""How errors leave the command line: one line each on standard error, and an exit code that scripts can tell apart."""

from __future__ import annotations

from typing import IO, Any

import click

from shardkeeper.domain.errors import (
    GaveUpWaiting,
    SettingsInvalid,
    ShardkeeperError,
    SpecInvalid,
    Unreachable,
)

REFUSED, USAGE, DIFFERENT, UNREACHABLE, GAVE_UP, WRONG_SETTINGS = 1, 2, 3, 69, 75, 78
"""The exit codes, beside 0."""


class Failure(click.ClickException):
    """An error of ours, as click shows it: no traceback."""

    def __init__(self, error: ShardkeeperError) -> None:
        super().__init__("\n".join(lines_of(error)))
        self._exit_code = exit_code_of(error)

    @property
    def exit_code(self) -> int:  # type: ignore[override]  # click sets it by class, we by instance
        """What the process ends with."""
        return self._exit_code

    def show(self, file: IO[Any] | None = None) -> None:
        """One line per problem on standard error."""
        for line in self.message.splitlines():
            click.echo(f"shardkeeper: {line}", file=file, err=True)


def exit_code_of(error: ShardkeeperError) -> int:
    """The exit code that says what kind of failure it was."""
    if isinstance(error, SettingsInvalid):
        return WRONG_SETTINGS
    if isinstance(error, Unreachable):
        return UNREACHABLE
    return GAVE_UP if isinstance(error, GaveUpWaiting) else REFUSED


def lines_of(error: ShardkeeperError) -> list[str]:
    """What went wrong, one line per problem."""
    if isinstance(error, SettingsInvalid | SpecInvalid) and error.problems:
        return [str(problem) for problem in error.problems]
    return str(error).splitlines() or [type(error).__name__]
