"""Everything that the nodes of `shardkeeper dev` need: PostgreSQL, ZooKeeper, feeds, a Slack."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Callable, MutableMapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from shardkeeper.dev.feeds import FeedsServer
from shardkeeper.dev.options import DevFailed, DevOptions
from shardkeeper.dev.state import StateFolder
from shardkeeper.devservers import PostgresServer, ServerUnavailable, ZooKeeperServer
from shardkeeper.devservers.fake_slack import FakeSlack
from shardkeeper.devservers.zookeeper_server import ZooKeeperOptions

DATABASE: Final = "shardkeeper"
HOSTS: Final = "SHARDKEEPER_ZOOKEEPER_HOSTS"
SLACK_TOKENS: Final = (
    "SHARDKEEPER_SLACK__TOKEN",
    "SHARDKEEPER_SLACK__TOKEN_FILE",
    "SHARDKEEPER_SLACK__WEBHOOK_URL",
    "SHARDKEEPER_SLACK__WEBHOOK_URL_FILE",
)
OURS: Final = (
    "SHARDKEEPER_CONFIG",
    "SHARDKEEPER_DATABASE_URL",
    "SHARDKEEPER_DATABASE_URL_FILE",
    HOSTS,
    "SHARDKEEPER_NAMESPACE",
    "SHARDKEEPER_NODE_ID",
    "SHARDKEEPER_STATE_DIR",
)
"""Settings of this cluster alone: what a shell says of another cluster must not lead the demo into it."""
SESSION_TIMEOUT_S: Final = 4.0
GRACE_S: Final = 10.0
_NO_ZOOKEEPER: Final = """\
{reason}

  make demo                       installs ZooKeeper and Java from Debian's packages, where it may
  shardkeeper dev --standalone    shows one node, which needs neither

or, with one that you have:

  ZOOKEEPER_HOME=/path shardkeeper dev
  docker compose up -d zookeeper-1 zookeeper-2 zookeeper-3 &&
    {hosts}=127.0.0.1:21811,127.0.0.1:21812,127.0.0.1:21813 shardkeeper dev"""


class Servers:
    """A context manager: leaving it stops all that was started, in the reverse order. ``say`` is told what starts."""

    def __init__(
        self,
        options: DevOptions,
        state: StateFolder,
        say: Callable[[str], None],
        environment: MutableMapping[str, str],
    ) -> None:
        self._options = options
        self._state = state
        self._say = say
        self._environment = environment
        self._stack = ExitStack()
        self._zookeeper_given = None if options.standalone else environment.get(HOSTS)
        self._zookeeper: ZooKeeperServer | None = None
        self._postgres: PostgresServer | None = None
        self.slack: FakeSlack | None = None
        self.database_url = ""

    @property
    def zookeeper_hosts(self) -> str:
        """Where ZooKeeper listens; with --standalone an address at which nobody does."""
        if self._zookeeper is not None:
            return self._zookeeper.hosts
        return self._zookeeper_given or "127.0.0.1:1"

    @property
    def pids(self) -> dict[str, int]:
        """Process ids of the servers that were started here."""
        found = {"postgres": self._postgres, "zookeeper": self._zookeeper}
        return {name: server.pid for name, server in found.items() if server is not None and server.alive}

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def settings(self) -> dict[str, Any]:
        """The cluster's settings file."""
        jobspecs = self._options.jobspecs
        found: dict[str, Any] = {
            "database_url": self.database_url,
            "zookeeper_hosts": self.zookeeper_hosts,
            "namespace": self._namespace(),
            "session_timeout": SESSION_TIMEOUT_S,
            "grace_period": GRACE_S,
            "state_dir": str(self._state.nodes),
            "tasks": {
                "allowed_modules": _modules_in(jobspecs),
                "script_dirs": [str(jobspecs / "scripts")] if (jobspecs / "scripts").is_dir() else [],
            },
        }
        if self.slack is not None:
            found["slack"] = {
                "token": "no-token-is-needed-here",
                "channel": "#alerts",
                "api_url": self.slack.url,
            }
        return found

    def variables(self) -> dict[str, str]:
        """What nodes, and shells that look at the cluster, find in their environment."""
        python_path = [
            str(self._options.jobspecs),
            *self._environment.get("PYTHONPATH", "").split(os.pathsep),
        ]
        return {
            "SHARDKEEPER_CONFIG": str(self._state.config),
            "DATABASE_URL": self.database_url,
            "ZOOKEEPER_HOSTS": self.zookeeper_hosts,
            "SAMPLE_FEEDS_URL": self._feeds.url,
            "SAMPLE_POSTGRES": f"127.0.0.1:{self._running_postgres().port}",
            "SAMPLE_ZOOKEEPER": self.zookeeper_hosts.split(",")[0],
            "PYTHONPATH": os.pathsep.join(dict.fromkeys(filter(None, python_path))),
        }

    def _start(self) -> None:
        for name in OURS:
            self._environment.pop(name, None)
        self._feeds = FeedsServer()
        self._stack.callback(self._feeds.close)
        if not any(self._environment.get(name) for name in SLACK_TOKENS):
            self.slack = FakeSlack()
            self._stack.callback(self.slack.close)
        self._start_zookeeper()
        self._start_postgres()

    def _start_postgres(self) -> None:
        self._say("Starting PostgreSQL 18")
        server = PostgresServer(self._state.postgres)
        self._stack.callback(server.close)
        server.start()
        self._postgres = server
        self.database_url = server.ensure_database(DATABASE)

    def _start_zookeeper(self) -> None:
        if self._options.standalone or self._zookeeper_given:
            return
        self._say("Starting ZooKeeper")
        try:
            server = ZooKeeperServer(self._state.zookeeper, ZooKeeperOptions(tick_ms=500))
        except ServerUnavailable as error:
            raise DevFailed(_NO_ZOOKEEPER.format(reason=error, hosts=HOSTS)) from error
        self._stack.callback(server.close)
        server.start()
        self._zookeeper = server

    def _running_postgres(self) -> PostgresServer:
        assert self._postgres is not None, "entered before it is asked"
        return self._postgres

    def _namespace(self) -> str:
        """On a ZooKeeper that others may use, a name that is this folder's alone."""
        if not self._zookeeper_given:
            return "shardkeeper"
        told = f"{socket.gethostname()} {self._state.path}"
        return f"shardkeeper-dev-{hashlib.sha256(told.encode()).hexdigest()[:10]}"


def _modules_in(folder: Path) -> list[str]:
    """The modules and packages that lie beside the spec files: what their jobs may run."""
    packages = [path.parent.name for path in folder.glob("*/__init__.py")]
    modules = [path.stem for path in folder.glob("*.py")]
    return sorted(packages + modules)
