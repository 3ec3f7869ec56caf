"""Real agents on real servers: processes of `shardkeeper agent`, and questions to them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from click.testing import CliRunner
from psycopg.rows import dict_row

from shardkeeper.cli import main
from tests.waiting import wait_until

TASKS = Path(__file__).parent / "tasks"
COMMAND = (sys.executable, "-c", "from shardkeeper.cli import main; main()")
SESSION_S = 3.0
START_S = 40.0
"""A busy machine needs seconds for a process that imports everything."""


@dataclass(slots=True)
class Agent:
    """One process."""

    node_id: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> None:
        """As the machine's end would."""
        self.process.kill()
        self.process.wait(10)

    def terminate(self, timeout_s: float = 20.0) -> int:
        """SIGTERM, and wait; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout_s)


@dataclass(slots=True)
class Agents:
    """A cluster of agents on one database and one namespace."""

    url: str
    hosts: str
    namespace: str
    folder: Path
    python_path: str = str(TASKS)
    nodes: dict[str, Agent] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """What every command here is given."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SHARDKEEPER_")}
        return kept | {
            "PYTHONPATH": self.python_path,
            "SHARDKEEPER_DATABASE_URL": self.url,
            "SHARDKEEPER_ZOOKEEPER_HOSTS": self.hosts,
            "SHARDKEEPER_NAMESPACE": self.namespace,
            "SHARDKEEPER_SESSION_TIMEOUT": f"{SESSION_S:g}",
            "SHARDKEEPER_STATE_DIR": str(self.folder),
            "SHARDKEEPER_TASKS__ALLOWED_MODULES": '["agent_tasks", "changing_task"]',
            "SHARDKEEPER_WORKERS": "6",
            "SHARDKEEPER_WORKERS_MIN": "5",  # a worker that must be started first is late by that
            "SHARDKEEPER_GRACE_PERIOD": "10",
        }

    def start(self, *node_ids: str) -> None:
        """Start those that do not run, and wait until all that run share one view."""
        for node_id in node_ids:
            if node_id not in self.nodes or not self.nodes[node_id].alive:
                self._launch(node_id)
        wait_until(self._agreed, START_S, f"a view of {', '.join(self.running())}")

    def _launch(self, node_id: str) -> None:
        log = self.folder / f"{node_id}.log"
        with log.open("ab") as out:
            process = subprocess.Popen(
                [*COMMAND, "agent"],
                env=self.environment | {"SHARDKEEPER_NODE_ID": node_id},
                stdout=out,
                stderr=out,
            )
        self.nodes[node_id] = Agent(node_id, process, log)

    def running(self) -> list[str]:
        """The names of those whose process lives."""
        return sorted(node_id for node_id, agent in self.nodes.items() if agent.alive)

    def _agreed(self) -> bool:
        dead = [one.log.read_text()[-3000:] for one in self.nodes.values() if one.process.returncode == 1]
        assert not dead, dead
        epoch = self.ask(
            "SELECT (view->>'epoch')::int AS epoch, view->'members' AS members FROM mirrored_view"
        )
        members = sorted(member["node_id"] for member in epoch[0]["members"]) if epoch else []
        leases = self.ask("SELECT node_id FROM lease WHERE state = 'active' ORDER BY 1")
        return members == [row["node_id"] for row in leases] == self.running()

    def cli(self, *arguments: str, exit_code: int = 0) -> str:
        """A command's standard output."""
        done = CliRunner().invoke(main, arguments, env=self.environment)
        assert done.exit_code == exit_code, done.stderr
        return done.stdout

    def json(self, *arguments: str) -> Any:
        """A command's JSON."""
        return json.loads(self.cli(*arguments, "--json"))

    def sql(self, *statements: str) -> None:
        """Autocommitted statements, as somebody with psql."""
        with psycopg.connect(self.url, autocommit=True, options="-c search_path=shardkeeper") as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def ask(self, query: str, values: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """A query's rows."""
        with psycopg.connect(
            self.url,
            autocommit=True,
            row_factory=dict_row,
            options="-c search_path=shardkeeper -c timezone=UTC",
        ) as connection:
            return connection.execute(query.encode(), values).fetchall()

    def until(self, query: str, values: Sequence[Any] = (), timeout_s: float = 30.0) -> list[dict[str, Any]]:
        """The rows, once there are any."""
        return wait_until(lambda: self.ask(query, values), timeout_s, query)

    def attempts(self, job: str) -> list[dict[str, Any]]:
        """All attempts of a job's runs that are closed, with their runs."""
        return self.ask(
            """SELECT s.*, r.status AS run_status, r.job_version, r.sharding_total_count
               FROM shard_run s JOIN job_run r ON r.id = s.run_id AND r.fire_time = s.fire_time
               WHERE r.job_name = %s AND r.status NOT IN ('CREATED', 'RUNNING')
               ORDER BY s.fire_time, s.item, s.attempt""",
            [job],
        )

    def close(self) -> None:
        """Kill what is left."""
        for agent in self.nodes.values():
            with suppress(ProcessLookupError):
                agent.process.kill()
            agent.process.wait(10)
