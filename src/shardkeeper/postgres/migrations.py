"""The schema's revisions: which one a database has, whether this version can work with it, and the way up.

A node refuses to start on a schema that is missing, older, or newer by more than additive revisions of its own minor
version: those have a revision that it does not know, but ``shardkeeper.schema_minor()`` still says what it does.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection as BoundConnection

from shardkeeper.domain.errors import Refused, SchemaMissing, SchemaNewer, SchemaOlder, StoreUnavailable
from shardkeeper.postgres.misfits import misfit
from shardkeeper.postgres.upgrading import PATIENCE_S, Tell, Upgrading

T = TypeVar("T")

SCHEMA_MINOR: Final = "0.1"
"""What ``shardkeeper.schema_minor()`` says of a schema that this version can work with."""

_REVISION: Final = "SELECT version_num FROM shardkeeper.schema_revision"
# a node beats every few seconds; one that was killed leaves its lease behind
_AT_WORK: Final = """
SELECT l.node_id || ' (' || l.version || ')' FROM shardkeeper.lease l
WHERE l.state <> 'dead' AND l.beaten_at > clock_timestamp() - interval '1 minute' ORDER BY 1
"""

log = logging.getLogger(__name__)


class Migrations:
    """Of the database at ``url``. Every call opens a connection of its own and closes it."""

    def __init__(self, url: str) -> None:
        self._url = url

    def current(self) -> str | None:
        """The database's revision; None: it has no schema of ours. Raises StoreUnavailable."""
        return self._asked(_revision_of)

    def upgrade(self, patience_s: float = PATIENCE_S, tell: Tell = log.warning) -> str:
        """Bring the schema up to this version's revision, each revision in a transaction of its own, one upgrade at a
        time, beside nodes that work; return the revision. ``patience_s``: how long locks of others are waited for in
        all; ``tell`` is told of the waiting.

        Raises GaveUpWaiting, StoreUnavailable, and Refused when the user may not change the schema, or nodes work on
        one of another minor version."""
        revision, minor = self._asked(_state_of)
        if revision is None or revision in self._known():
            if revision is not None and minor != SCHEMA_MINOR and (nodes := self._asked(_nodes_at_work)):
                raise Refused(
                    f"{', '.join(nodes)} work on the schema of {minor} and cannot on that of {SCHEMA_MINOR}: stop them "
                    "first (one that was killed counts for a minute)"
                )
            Upgrading(self._url, patience_s, tell).run(_bring_up)
        return self.check()

    def check(self) -> str:
        """The database's revision, if this version can work with it. Raises SchemaMissing, SchemaOlder, SchemaNewer and
        StoreUnavailable."""
        revision, minor = self._asked(_state_of)
        if revision is None:
            raise SchemaMissing
        known = self._known()
        if revision in known:
            if revision != known[0]:
                raise SchemaOlder(
                    f"the database's schema is at revision {revision}, this version needs {known[0]}: "
                    "run `shardkeeper db upgrade`"
                )
        elif minor != SCHEMA_MINOR:
            raise SchemaNewer(
                f"the database's schema is at revision {revision} (of {minor}), newer than this version of "
                f"{SCHEMA_MINOR} knows: install the version with which `shardkeeper db upgrade` was run"
            )
        return revision

    def _known(self) -> list[str]:
        """This version's revisions, newest first."""
        return [script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()]

    def _asked(self, ask: Callable[[psycopg.Connection[Any]], T]) -> T:
        try:
            with psycopg.connect(self._url, connect_timeout=5, autocommit=True) as connection:
                return ask(connection)
        except psycopg.OperationalError as error:
            raise StoreUnavailable(f"PostgreSQL: {_line(error)}") from error
        except psycopg.ProgrammingError as error:
            unfit = misfit(error)
            if unfit is None:
                raise
            raise unfit from error


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("alembic")).replace("%", "%%"))
    return config


def _bring_up(bound: BoundConnection) -> None:
    config = _config()
    config.attributes["connection"] = bound
    command.upgrade(config, "head")


def _revision_of(connection: psycopg.Connection[Any]) -> str | None:
    row = connection.execute("SELECT to_regclass('shardkeeper.schema_revision')").fetchone()
    if row is None or row[0] is None:
        return None
    found = connection.execute(_REVISION).fetchone()
    return None if found is None else str(found[0])


def _state_of(connection: psycopg.Connection[Any]) -> tuple[str | None, str | None]:
    revision = _revision_of(connection)
    if revision is None:
        return None, None
    row = connection.execute("SELECT to_regprocedure('shardkeeper.schema_minor()')").fetchone()
    if row is None or row[0] is None:
        return revision, None
    minor = connection.execute("SELECT shardkeeper.schema_minor()").fetchone()
    return revision, None if minor is None else str(minor[0])


def _nodes_at_work(connection: psycopg.Connection[Any]) -> list[str]:
    return [row[0] for row in connection.execute(_AT_WORK)]


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:500]
