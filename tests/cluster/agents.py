"""A cluster of `shardkeeper agent` processes."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Any, Final, Self
from uuid import uuid4

import psycopg
from click.testing import CliRunner
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from shardkeeper.cli import main
from shardkeeper.devservers.processes import ServerCommand, ServerProcess, freeze, thaw
from tests.cluster.witness import Gate, WitnessFile
from tests.postgres.migrated import upgrade
from tests.servers import PostgresPool
from tests.waiting import wait_until

TASKS: Final = Path(__file__).parent / "tasks"
TASK_MODULES: Final = '["witnessing", "ill", "families", "demanded"]'
PATIENCE_S: Final = 60.0
_STOP_S: Final = 45.0
_numbers = count(1)


class AgentCluster:
    """Nodes by name on one database and one namespace. ``settings`` are environment variables for all of them.

    ``folder`` holds logs (``<name>.log``), state, gates and the witness file. Leaving the context ends all nodes.
    """

    def __init__(self, url: str, hosts: str, namespace: str, folder: Path, **settings: str) -> None:
        self.url = url
        self.folder = folder
        self.witness = WitnessFile(folder / "witness.jsonl")
        self._environment: Mapping[str, str] = {
            "SHARDKEEPER_DATABASE_URL": url,
            "SHARDKEEPER_ZOOKEEPER_HOSTS": hosts,
            "SHARDKEEPER_NAMESPACE": namespace,
            "SHARDKEEPER_STATE_DIR": str(folder / "state"),
            # short, so that a death is noticed soon, and long enough for a busy machine
            "SHARDKEEPER_SESSION_TIMEOUT": "4",
            "SHARDKEEPER_WORKERS": "4",
            "SHARDKEEPER_TASKS__ALLOWED_MODULES": TASK_MODULES,
            "PYTHONPATH": os.pathsep.join(filter(None, [str(TASKS), os.environ.get("PYTHONPATH")])),
            "WITNESS_FILE": str(self.witness.path),
            **settings,
        }
        self._agents: dict[str, ServerProcess] = {}
        self._connection: psycopg.Connection[dict[str, Any]] | None = None
        self._lock = Lock()

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        for agent in self._agents.values():
            if agent.alive:
                agent.send(signal.SIGCONT)
                agent.end(signal.SIGKILL, _STOP_S)
        if self._connection is not None:
            self._connection.close()

    @property
    def environment(self) -> Mapping[str, str]:
        """What a `shardkeeper` command needs to speak to this cluster."""
        return self._environment

    def start(self, *names: str, **settings: str) -> None:
        """Start nodes without waiting for them; ``settings`` are for these alone."""
        for name in names:
            command = ServerCommand(
                argv=(sys.executable, "-m", "shardkeeper", "agent"),
                folder=self.folder,
                log=self.folder / f"{name}.log",
                death_signal=signal.SIGKILL,
                environment={**self._environment, "SHARDKEEPER_NODE_ID": name, **settings},
            )
            self._agents[name] = ServerProcess(command)

    def wait_for_view(self, *names: str, timeout_s: float = PATIENCE_S) -> None:
        """Wait until the view has exactly these nodes, each by its living incarnation."""

        def there() -> bool:
            self.assert_alive(*names)
            found = self.rows(
                "SELECT m ->> 'node_id' AS name, l.state FROM shardkeeper.mirrored_view"
                " CROSS JOIN jsonb_array_elements(view -> 'members') m"
                " LEFT JOIN shardkeeper.lease l ON l.incarnation = m ->> 'incarnation'"
            )
            return {row["name"]: row["state"] for row in found} == dict.fromkeys(names, "active")

        wait_until(there, timeout_s, f"a view of {', '.join(names)}")

    def assert_alive(self, *names: str) -> None:
        for name in names:
            assert self._agents[name].alive, f"{name} has ended\n{self.log(name)[-3000:]}"

    def pid(self, name: str) -> int:
        return self._agents[name].pid

    def alive(self, name: str) -> bool:
        return name in self._agents and self._agents[name].alive

    def kill(self, *names: str) -> None:
        """SIGKILL; returns when they are gone. Their workers are on their own."""
        for name in names:
            self._agents[name].send(signal.SIGKILL)
        for name in names:
            self._agents[name].end(signal.SIGKILL, _STOP_S)

    def terminate(self, *names: str) -> None:
        """SIGTERM, without waiting."""
        for name in names:
            self._agents[name].send(signal.SIGTERM)

    def stop(self, *names: str) -> list[int | None]:
        """SIGTERM; their exit codes once they have ended."""
        self.terminate(*names)
        return [self.exit_code(name) for name in names]

    def exit_code(self, name: str, timeout_s: float = _STOP_S) -> int | None:
        """Wait for a node to end; its exit code, negative for a signal."""
        agent = self._agents[name]
        wait_until(lambda: not agent.alive, timeout_s, f"the end of {name}")
        return agent.returncode

    def pause(self, name: str) -> None:
        """SIGSTOP to the node itself, not to its workers; returns when it stands still."""
        freeze([self.pid(name)], _STOP_S)

    def resume(self, name: str) -> None:
        thaw([self.pid(name)])

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def gate(self, name: str) -> Gate:
        """A shut gate for tasks: pass ``str(gate.path)`` as the parameter ``until``."""
        return Gate(self.folder / f"gate-{name}")

    def cli(self, *arguments: str) -> str:
        """A command that succeeds; its standard output."""
        done = CliRunner().invoke(main, arguments, env=dict(self._environment))
        assert done.exit_code == 0, done.stderr
        return done.stdout

    def json(self, *arguments: str) -> Any:
        """A command's JSON."""
        return json.loads(self.cli(*arguments, "--json"))

    def connect(self, **parameters: Any) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection of the caller's own, autocommitting unless it says otherwise; the caller closes it."""
        return psycopg.connect(self.url, **{"autocommit": True, **parameters})

    def rows(self, query: str, parameters: Any = None) -> list[dict[str, Any]]:
        """One autocommitted statement on the cluster's own connection (a new one after a loss); its rows."""
        with self._lock:
            if self._connection is None or self._connection.closed:
                self._connection = psycopg.connect(self.url, autocommit=True, row_factory=dict_row)
            try:
                cursor = self._connection.execute(query, parameters)
                return cursor.fetchall() if cursor.description else []
            except psycopg.OperationalError:
                self._connection.close()
                raise

    def one(self, query: str, parameters: Any = None) -> Any:
        """The first column of the first row; None where there is no row."""
        found = self.rows(query, parameters)
        return next(iter(found[0].values())) if found else None

    def impl(self, name: str = "witness", entrypoint: str = "witnessing:Witness", **columns: Any) -> None:
        """Insert an ImplSpec."""
        self._insert("impl_spec", {"name": name, "entrypoint": entrypoint, **columns})

    def job(self, name: str, impl_spec: str = "witness", **columns: Any) -> None:
        """Insert a job, as with psql."""
        self._insert("job_spec", {"name": name, "impl_spec": impl_spec, **columns})

    def source(self, impl_spec: str, key: str, **columns: Any) -> None:
        """Insert a SourceData row."""
        self._insert("source_data", {"impl_spec": impl_spec, "key": key, **columns})

    def runs(self, job: str) -> list[dict[str, Any]]:
        """All runs and records of a job, by fire time."""
        return self.rows(
            "SELECT * FROM shardkeeper.job_run WHERE job_name = %s ORDER BY fire_time, id", (job,)
        )

    def attempts(self, job: str) -> list[dict[str, Any]]:
        """All attempts of a job, by fire time, item and number."""
        return self.rows(
            "SELECT * FROM shardkeeper.shard_run WHERE job_name = %s ORDER BY fire_time, run_id, item, attempt",
            (job,),
        )

    def _insert(self, table: str, columns: Mapping[str, Any]) -> None:
        values = {name: Jsonb(value) if isinstance(value, dict) else value for name, value in columns.items()}
        statement = sql.SQL("INSERT INTO shardkeeper.{} ({}) VALUES ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, values)),
            sql.SQL(", ").join(sql.Placeholder() * len(values)),
        )
        self.rows(statement.as_string(), tuple(values.values()))


@contextmanager
def cluster_on_shared_servers(
    pool: PostgresPool, zookeeper_hosts: str, servers_folder: Path, **settings: str
) -> Iterator[AgentCluster]:
    """A cluster without nodes yet, with a migrated database and a namespace of its own on the session's servers.

    For a fixture of any scope: ``postgres_pool``, ``zookeeper_hosts`` and ``servers_folder`` are the session's.
    """
    number = next(_numbers)
    with pool.database(prepare=upgrade) as database:
        folder = servers_folder / f"cluster-{number}"
        with AgentCluster(
            database.url, zookeeper_hosts, f"cluster-{uuid4().hex[:12]}", folder, **settings
        ) as cluster:
            yield cluster
