"""The command line over the stores in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from shardkeeper.cli import main
from shardkeeper.domain.errors import ShardkeeperError, Unreachable
from shardkeeper.domain.specset import SpecSet
from shardkeeper.domain.validation import Limits
from shardkeeper.domain.view import Member, View
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
from shardkeeper.ports.coordinator import Candidate, NodeInfo, Session, Snapshot
from shardkeeper.specfiles import dump_specs, load_spec_files
from tests.contract.store_worlds import MemoryWorld
from tests.contract.story import Story


@dataclass
class Desk:
    """A story in memory, and the command line over it."""

    story: Story
    surroundings: Surroundings
    snapshot: Snapshot | None = None
    """What ZooKeeper shows; None: it is away."""
    observe: Callable[[], Snapshot] | None = None
    """Instead of ``snapshot``."""
    while_waiting: Callable[[], object] = lambda: None
    mono: float = 0.0
    settings: dict[str, Any] = field(default_factory=dict)

    def run(self, *arguments: str) -> Result:
        """One command."""
        return CliRunner().invoke(main, arguments, obj=self.operations())

    def json(self, *arguments: str, exit_code: int = 0) -> Any:
        """One command's JSON."""
        done = self.run(*arguments, "--json")
        assert done.exit_code == exit_code, done.output
        return json.loads(done.stdout)

    def operations(self) -> Operations:
        world = self.story.world
        reader = HistoryReader(Limits())
        cluster = ClusterReader(world.operator, self._observe)
        files = SpecFiles(load_files, dump_specs)
        return Operations(
            JobOperations(world.operator, world.specs, reader, world.now),
            ShardOperations(world.operator, world.specs, cluster, reader, world.now),
            NodeOperations(world.operator, cluster),
            RunOperations(world.operator, lambda: self.mono, self._pause),
            BackfillOperations(world.operator, reader),
            SpecOperations(world.operator, files, ["acme"]),
            HealthOperations(world.operator, cluster, self.surroundings, lambda: self.settings),
            close=lambda: None,
        )

    def publish(self, *node_ids: str, epoch: int = 5) -> View:
        """A view of these nodes, with all of them in ZooKeeper, the first one leading."""
        members = tuple(Member(node_id, f"{node_id}/1") for node_id in node_ids)
        view = View("lineage", epoch, members[0].incarnation, members, self.story.world.now())
        infos = tuple(
            NodeInfo(m.node_id, m.incarnation, "host", 1, applied_epoch=epoch, code_version="abc")
            for m in members
        )
        candidates = tuple(Candidate(seq, m.node_id, m.incarnation, False) for seq, m in enumerate(members))
        self.snapshot = Snapshot(Session.CONNECTED, 6.0, infos, candidates, view, epoch)
        return view

    def change(self, **what: Any) -> None:
        """Other surroundings for the doctor."""
        self.surroundings = replace(self.surroundings, **what)

    def _observe(self) -> Snapshot:
        if self.observe is not None:
            return self.observe()
        if self.snapshot is None:
            raise Unreachable("ZooKeeper at zk:2181 did not answer within 3 s")
        return self.snapshot

    def _pause(self, seconds: float) -> None:
        self.mono += seconds
        self.while_waiting()


def load_files(paths: Iterable[Path]) -> SpecSet:
    return load_spec_files(paths)


def refusing(error: ShardkeeperError) -> Callable[[], Any]:
    """A function that raises it."""

    def raising() -> Any:
        raise error

    return raising


@pytest.fixture
def desk() -> Desk:
    story = Story(MemoryWorld())
    desk = Desk(
        story,
        Surroundings(
            schema=lambda: "0001",
            listen=lambda: None,
            now=story.world.now,
            lease_s=4.0,
            session_timeout_s=6.0,
            on_time_window_s=30.0,
            allowed_modules=("acme",),
            slack="to #jobs by token",
            open_doors=(),
        ),
    )
    desk.publish("node-a", "node-b")
    return desk


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
