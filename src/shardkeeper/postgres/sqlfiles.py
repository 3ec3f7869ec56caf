"""Where the plain SQL lies: in the installed package, else at the top of the repository (an editable install)."""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from sqlalchemy.engine import Connection

from shardkeeper.domain.errors import ShardkeeperError


class SqlMissing(ShardkeeperError):
    """The SQL of the schema is not where it is installed: install Shardkeeper again."""


def sql_folder() -> Traversable:
    """The folder with one folder for each revision."""
    installed = resources.files("shardkeeper.postgres").joinpath("sql")
    if installed.is_dir():
        return installed
    repository = Path(__file__).resolve().parents[3] / "sql"
    if not repository.is_dir():
        raise SqlMissing
    return repository


def sql_of(revision: str) -> list[tuple[str, str]]:
    """(name, text) of a revision's files, in the order in which they are run."""
    folder = sql_folder().joinpath(revision)
    files = [entry for entry in folder.iterdir() if entry.name.endswith(".sql")]
    return [
        (entry.name, entry.read_text(encoding="utf-8")) for entry in sorted(files, key=lambda each: each.name)
    ]


def run_sql(bind: Connection, revision: str) -> None:
    """Run them in the transaction of ``bind``. Given to psycopg as they are: no parameters, no escaping of ``%``."""
    raw = bind.connection.driver_connection
    assert raw is not None
    for name, text in sql_of(revision):
        try:
            raw.execute(text)
        except Exception as error:
            error.add_note(f"in sql/{revision}/{name}")
            raise
