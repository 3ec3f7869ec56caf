"""The one family of errors. The docstring of a class is its message when none is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shardkeeper.domain.problems import Problem, shown


class ShardkeeperError(Exception):
    """Something went wrong in Shardkeeper."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or " ".join((self.__class__.__doc__ or "").split()))


class ValueInvalid(ShardkeeperError):
    """A value is not valid."""

    def __init__(self, reason: str, mend: str) -> None:
        self.reason, self.mend = reason, mend
        super().__init__(f"{reason}; {mend}")

    def __reduce__(self) -> tuple[type[ValueInvalid], tuple[str, str]]:
        return (type(self), (self.reason, self.mend))


class SpecInvalid(ShardkeeperError):
    """The spec is not valid."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(map(str, self.problems)) or None)

    def __reduce__(self) -> tuple[type[SpecInvalid], tuple[tuple[Problem, ...]]]:
        return (type(self), (self.problems,))


class UnknownSpec(ShardkeeperError):
    """The spec uses columns or values that this version of Shardkeeper does not know.

    It may be right for a newer version (rolling upgrade): whoever gets this declines the job and never marks
    the spec invalid.
    """

    def __init__(self, unknown: Sequence[str]) -> None:
        self.unknown = tuple(map(shown, unknown))
        super().__init__(f"this version does not know {', '.join(self.unknown)}; a newer one may")

    def __reduce__(self) -> tuple[type[UnknownSpec], tuple[tuple[str, ...]]]:
        return (type(self), (self.unknown,))


class Refused(ShardkeeperError):
    """The request was refused."""


class NotFound(Refused):
    """There is no such thing."""


class Unreachable(ShardkeeperError):
    """A server cannot be reached."""


class GaveUpWaiting(ShardkeeperError):
    """Gave up waiting."""


class StoreUnavailable(Unreachable):
    """The store did not answer: whether the write happened is unknown, and the same call may be repeated."""


class PartlyUnanswered(StoreUnavailable):
    """The store did not answer for some of a batch, whose rows are locked."""

    def __init__(self, answers: Sequence[Any], message: str | None = None) -> None:
        self.answers = tuple(answers)
        """In the order of the batch; None for each that was not answered, of which nothing was stored."""
        super().__init__(message)

    def __reduce__(self) -> tuple[type[PartlyUnanswered], tuple[tuple[Any, ...], str]]:
        return (type(self), (self.answers, str(self)))


class OrderRefused(Refused):
    """The order was refused."""


class JournalFull(ShardkeeperError):
    """The journal of outcomes is full: free some disk, or bring PostgreSQL back so that it can be emptied."""


class SchemaMismatch(ShardkeeperError):
    """The database's schema does not fit this version."""


class SchemaMissing(SchemaMismatch):
    """The database has no schema of Shardkeeper yet: run `shardkeeper db upgrade`."""


class SchemaOlder(SchemaMismatch):
    """The database's schema is older than this version: run `shardkeeper db upgrade`."""


class SchemaNewer(SchemaMismatch):
    """The database's schema is newer than this version: install the one that ran `shardkeeper db upgrade`."""


class SettingsInvalid(ShardkeeperError):
    """Some settings are wrong."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems) or None)

    def __reduce__(self) -> tuple[type[SettingsInvalid], tuple[tuple[str, ...]]]:
        return (type(self), (self.problems,))
