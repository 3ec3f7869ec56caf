"""The beginning of a run of faults: servers, the schema, links, and nodes that are ready to be started."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from bench.faults.clock import NoCompiler, NodeClock
from bench.faults.disk import SmallDisk
from bench.faults.kinds import MODULE
from bench.faults.links import Links, through
from bench.faults.options import Options
from bench.faults.relay import Relay
from bench.faults.stream import Stream
from bench.faults.world import World
from bench.fleet import Fleet
from shardkeeper.devservers import PostgresServer, ZooKeeperEnsemble
from shardkeeper.devservers.fake_slack import FakeSlack
from shardkeeper.devservers.ports import LOOPBACK
from shardkeeper.devservers.postgres_server import PostgresOptions

_DATABASE = "shardkeeper"
_ROLE = "faults"
_CONNECTIONS = 120
"""Five nodes have about ten each; few enough that all of them can be taken within a moment."""
_SLACK_KEEPS = 1_000_000
_GRACE_S = 10.0


@dataclass(frozen=True, slots=True)
class _Servers:
    """``url``: the database as nodes see it, by no relay."""

    folder: Path
    postgres: PostgresServer
    zookeeper: ZooKeeperEnsemble
    slack: FakeSlack
    url: str

    def state(self, name: str) -> Path:
        """The state folder of a node."""
        return self.folder / "state" / name


@contextmanager
def founded(options: Options, folder: Path) -> Iterator[World]:
    """A world whose servers run and whose nodes do not yet. ``folder``: an existing one, for logs and the witness file;
    everything else lies in a folder that is removed at the end, when nothing of it runs any more."""
    with ExitStack() as stack:
        servers = _servers(stack)
        slack_link = stack.enter_context(Relay(servers.slack.url.split("/")[2]))
        links = _links(stack, servers, options)
        own = {name: _own(servers, name, links[name], slack_link) for name in options.names}
        left_out: dict[str, str] = {}
        clock = _clock(servers, options.names[0], left_out)
        if clock is not None:
            own[clock[0]] |= clock[1].environment
        disk = _disk(stack, servers, options.names[-1], left_out)
        url = servers.postgres.url(_DATABASE)
        fleet = Fleet(_environment(options, folder), folder, own)
        stack.callback(fleet.close)
        yield World(
            options=options,
            folder=folder,
            fleet=fleet,
            postgres=servers.postgres,
            zookeeper=servers.zookeeper,
            slack=servers.slack,
            slack_link=slack_link,
            links=links,
            stream=Stream(url, options.submissions_per_s, options.seed),
            url=url,
            clock=clock,
            disk=disk,
            left_out=left_out,
        )


def _servers(stack: ExitStack) -> _Servers:
    folder = Path(tempfile.mkdtemp(prefix="shardkeeper-faults-servers-", dir="/var/tmp"))
    # PostgreSQL runs as another user where root starts it
    folder.chmod(0o711)
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    limits = PostgresOptions(durable=True, max_connections=_CONNECTIONS)
    postgres = stack.enter_context(PostgresServer(folder / "postgres", options=limits))
    zookeeper = stack.enter_context(ZooKeeperEnsemble(folder / "zookeeper"))
    slack = FakeSlack(keep=_SLACK_KEEPS)
    stack.callback(slack.close)
    return _Servers(folder, postgres, zookeeper, slack, _database(postgres))


def _links(stack: ExitStack, servers: _Servers, options: Options) -> Mapping[str, Links]:
    links: dict[str, Links] = {}
    for name in options.names:
        links[name] = Links(f"{LOOPBACK}:{servers.postgres.port}", servers.zookeeper.hosts)
        stack.callback(links[name].close)
    return links


def _clock(servers: _Servers, name: str, left_out: dict[str, str]) -> tuple[str, NodeClock] | None:
    try:
        return name, NodeClock(servers.folder)
    except NoCompiler as error:
        left_out["clock"] = str(error)
        return None


def _disk(
    stack: ExitStack, servers: _Servers, name: str, left_out: dict[str, str]
) -> tuple[str, SmallDisk] | None:
    try:
        return name, stack.enter_context(SmallDisk(servers.state(name)))
    except OSError as error:
        left_out["disk"] = f"no small file system can be mounted: {error.strerror}"
        return None


def _own(servers: _Servers, name: str, links: Links, slack_link: Relay) -> dict[str, str]:
    """What differs from node to node."""
    return {
        "SHARDKEEPER_DATABASE_URL": through(servers.url, links.postgres.relays[0]),
        "SHARDKEEPER_ZOOKEEPER_HOSTS": links.zookeeper.hosts,
        "SHARDKEEPER_STATE_DIR": str(servers.state(name)),
        "SHARDKEEPER_SLACK__API_URL": through(servers.slack.url, slack_link),
    }


def _environment(options: Options, folder: Path) -> dict[str, str]:
    """What all nodes have in common."""
    return {
        "SHARDKEEPER_SESSION_TIMEOUT": f"{options.session_timeout_s:g}",
        "SHARDKEEPER_ON_TIME_WINDOW": f"{options.on_time_window_s:g}",
        "SHARDKEEPER_STATEMENT_TIMEOUT": f"{options.statement_timeout_s:g}",
        "SHARDKEEPER_WORKERS": str(options.workers),
        # shorter than the longest tasks: a rolling restart gives some of them back, and is over sooner
        "SHARDKEEPER_GRACE_PERIOD": f"{_GRACE_S:g}",
        "SHARDKEEPER_TASKS__ALLOWED_MODULES": json.dumps([MODULE]),
        "SHARDKEEPER_SLACK__TOKEN": "no-token-is-needed-here",
        "SHARDKEEPER_SLACK__CHANNEL": "#faults",
        "FAULTS_WITNESS": str(folder / "witness"),
    }


def _database(postgres: PostgresServer) -> str:
    """A database with the schema, and a role for the nodes: not a superuser, whom the server would give connections
    when all others are taken. The role's URL."""
    url = postgres.create_database(_DATABASE)
    subprocess.run(
        [sys.executable, "-m", "shardkeeper", "db", "upgrade"],
        env={**os.environ, "SHARDKEEPER_DATABASE_URL": url},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    password = secrets.token_urlsafe(18)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("create role {} login password {} in role shardkeeper_node").format(
                sql.Identifier(_ROLE), sql.Literal(password)
            )
        )
    return f"postgresql://{_ROLE}:{password}@{LOOPBACK}:{postgres.port}/{_DATABASE}"
