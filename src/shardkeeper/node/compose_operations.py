"""What the faces are made of: settings, the schema, the operations; beside ``compose``, what names adapters."""

from __future__ import annotations

import importlib
import queue
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from shardkeeper.domain.validation import Limits
from shardkeeper.node.compose_database import connection_options
from shardkeeper.node.compose_options import zookeeper_options
from shardkeeper.node.histories import HistoryReader
from shardkeeper.node.operations import (
    BackfillOperations,
    ClusterReader,
    HealthOperations,
    JobOperations,
    NodeOperations,
    Operations,
    RunOperations,
    ShardOperations,
    SpecOperations,
)
from shardkeeper.node.operations.health import Surroundings
from shardkeeper.node.operations.specs import SpecFiles
from shardkeeper.ports.coordinator import Snapshot
from shardkeeper.ports.specs import Hint, ListenerState
from shardkeeper.postgres.connection import Connection
from shardkeeper.postgres.listener import PostgresListener
from shardkeeper.postgres.operator import PostgresOperator
from shardkeeper.postgres.specs import PostgresSpecs
from shardkeeper.settings import sources
from shardkeeper.settings.model import Settings
from shardkeeper.specfiles import dump_specs, load_spec_files
from shardkeeper.system import interpreter, log
from shardkeeper.system.clock import SystemClock
from shardkeeper.zookeeper.observer import ZooKeeperObserver

if TYPE_CHECKING:
    from shardkeeper.postgres.migrations import Migrations

MIGRATIONS = "shardkeeper.postgres.migrations"
"""Loaded when asked for: Alembic and SQLAlchemy take as long to load as all the rest, and few commands need them."""
LISTEN_PATIENCE_S = 6.0
"""A little longer than the listener gives its own proof."""


def read_settings(**overrides: Any) -> Settings:
    """The settings of this process's environment. Raises SettingsInvalid with all problems."""
    settings = sources.load(**overrides)
    connection_options(settings, "").conninfo()  # what is no connection string is a wrong setting, too
    return settings


def shown_settings(settings: Settings) -> dict[str, Any]:
    """The settings for people: secrets masked."""
    return sources.shown(settings)


def configure_log(settings: Settings) -> None:
    """Write the log to standard error as the settings say."""
    log.configure(settings.log_format)


def tune_interpreter() -> None:
    """For a process that is a node: see ``system.interpreter``."""
    interpreter.tune()


def check_schema(settings: Settings) -> str:
    """The schema's revision, if this version can work with it. Raises SchemaMismatch and StoreUnavailable."""
    return _migrations(settings).check()


def current_schema(settings: Settings) -> str | None:
    """The schema's revision; None without one. Raises StoreUnavailable."""
    return _migrations(settings).current()


def upgrade_schema(settings: Settings, patience_s: float, tell: Callable[[str], None]) -> str:
    """Bring the schema up to this version. ``patience_s``: how long locks of others are waited for in all; ``tell`` is
    told of it. Raises GaveUpWaiting, Refused, SchemaNewer and StoreUnavailable."""
    return _migrations(settings).upgrade(patience_s, tell)


def observer(settings: Settings) -> Callable[[], Snapshot]:
    """Reads ZooKeeper once, whenever called. Raises Unreachable within seconds."""
    return ZooKeeperObserver(zookeeper_options(settings)).observe


def make_operations(settings: Settings, observe: Callable[[], Snapshot] | None = None) -> Operations:
    """The operations over the servers that the settings name. Connects to nothing yet. ``observe``: how to read the
    coordinator, where not from ZooKeeper each time."""
    clock = SystemClock()
    connection = Connection(connection_options(settings, "cli"))
    store = PostgresOperator(connection)
    specs = PostgresSpecs(connection)
    reader = HistoryReader(Limits())
    cluster = ClusterReader(store, observe or observer(settings))
    return Operations(
        jobs=JobOperations(store, specs, reader, clock.now),
        shards=ShardOperations(store, specs, cluster, reader, clock.now),
        nodes=NodeOperations(store, cluster),
        runs=RunOperations(store, clock.monotonic, threading.Event().wait),
        backfills=BackfillOperations(store, reader),
        specs=SpecOperations(store, spec_files(), settings.tasks.allowed_modules),
        health=HealthOperations(store, cluster, _surroundings(settings), lambda: shown_settings(settings)),
        close=connection.close,
    )


def spec_files() -> SpecFiles:
    """YAML, judged by the JSON Schema."""
    return SpecFiles(load=load_spec_files, dump=dump_specs)


def _surroundings(settings: Settings) -> Surroundings:
    return Surroundings(
        schema=lambda: check_schema(settings),
        listen=lambda: _listen_problem(settings),
        now=SystemClock().now,
        lease_s=settings.lease_s,
        session_timeout_s=settings.session_timeout,
        on_time_window_s=settings.on_time_window,
        allowed_modules=settings.tasks.allowed_modules,
        slack=_slack(settings),
        open_doors=zookeeper_options(settings).open_doors(),
    )


def _slack(settings: Settings) -> str | None:
    """Where alerts go; None where nowhere."""
    slack = settings.slack
    if slack.token is not None:
        return (
            f"to {slack.channel} by token"
            if slack.channel
            else "by token, without a channel: set slack.channel"
        )
    return "by webhook" if slack.webhook_url is not None else None


def _listen_problem(settings: Settings) -> str | None:
    """Listen as a node does until the listener has proved itself; what is wrong, or None."""
    states: queue.SimpleQueue[ListenerState] = queue.SimpleQueue()

    def heard(event: Hint | ListenerState) -> None:
        if isinstance(event, ListenerState):
            states.put(event)

    listener = PostgresListener(connection_options(settings, "doctor"))
    listener.start(heard)
    try:
        state = states.get(timeout=LISTEN_PATIENCE_S)
    except queue.Empty:
        return f"nothing came back within {LISTEN_PATIENCE_S:g} s"
    finally:
        listener.stop()
    return None if state.listening else state.problem or "it does not listen"


def _migrations(settings: Settings) -> Migrations:
    made: Migrations = importlib.import_module(MIGRATIONS).Migrations(
        settings.database_url.get_secret_value()
    )
    return made
