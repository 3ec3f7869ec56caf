"""All that a run of faults is made of, on this machine: servers, nodes, and the links between them."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from bench.faults.clock import NodeClock
from bench.faults.disk import SmallDisk
from bench.faults.links import Links
from bench.faults.options import Options
from bench.faults.relay import Relay
from bench.faults.stream import Stream
from bench.fleet import Fleet
from shardkeeper.devservers import PostgresServer, ZooKeeperEnsemble
from shardkeeper.devservers.fake_slack import FakeSlack

_POLL_S = 0.1


@dataclass(frozen=True)
class World:
    """Servers that run, nodes that can be started, and what lies between them.

    ``url``: the database as the server's administrator sees it, by no relay. ``slack_link``: one for all nodes.
    ``clock``, ``disk``: of which node, and what; None where it is not to be had, for the reason that ``left_out`` gives
    under that name. ``stream``: of submissions, not begun. ``exit_codes``: of each node, one for each SIGTERM.
    """

    options: Options
    folder: Path
    fleet: Fleet
    postgres: PostgresServer
    zookeeper: ZooKeeperEnsemble
    slack: FakeSlack
    slack_link: Relay
    links: Mapping[str, Links]
    stream: Stream
    url: str
    clock: tuple[str, NodeClock] | None = None
    disk: tuple[str, SmallDisk] | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)
    exit_codes: dict[str, list[int | None]] = field(default_factory=lambda: defaultdict(list))
    _never: threading.Event = field(default_factory=threading.Event)

    @property
    def witness(self) -> Path:
        """The file that tasks write to."""
        return self.folder / "witness"

    def connect(self) -> psycopg.Connection[Any]:
        """A connection of the administrator's, by no relay; autocommits. The caller closes it."""
        return psycopg.connect(self.url, autocommit=True)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self._never.wait(seconds)

    def hold(self, seconds: float, mend: Callable[[], object]) -> None:
        """Let time pass, then mend, also where it is interrupted."""
        try:
            self.wait(seconds)
        finally:
            mend()

    def wait_until(self, condition: Callable[[], object], what: str) -> None:
        """Ask again and again. Raises TimeoutError after the patience."""
        deadline = time.monotonic() + self.options.patience_s
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what} did not come within {self.options.patience_s:g} s")
            self.wait(_POLL_S)

    def active(self) -> set[str]:
        """The nodes that take part by their living processes: their lease is active, and the view has them."""
        pids = self.fleet.living_pids()
        with self.connect() as connection:
            found = connection.execute(
                "select l.node_id, l.pid from shardkeeper.mirrored_view v"
                " cross join jsonb_array_elements(v.view -> 'members') m"
                " join shardkeeper.lease l on l.incarnation = m ->> 'incarnation' where l.state = 'active'"
            )
            return {name for name, pid in found if pid in pids}

    def heal(self) -> None:
        """Mend whatever may be broken, and start again whatever has ended."""
        self.slack_link.mend()
        for links in self.links.values():
            links.mend()
        self.postgres.start()
        self.zookeeper.start()
        for name in self.fleet.ended():
            self.fleet.start(name)
