"""The view as PostgreSQL has it, and when nodes said in their logs that they go by it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bench.cluster import Cluster
from bench.waiting import wait_for

READ = "select view from shardkeeper.mirrored_view where view is not null"
AS_JSON = {"SHARDKEEPER_LOG_FORMAT": "json"}
"""The setting with which `gone_by` can read the nodes' logs."""


@dataclass(frozen=True, slots=True)
class Published:
    """A view. ``members``: their names."""

    epoch: int
    members: tuple[str, ...]
    at: datetime


def mirrored(connection: Any) -> Published | None:
    """The last view of which PostgreSQL knows."""
    row = connection.execute(READ).fetchone()
    if row is None:
        return None
    members = tuple(member["node_id"] for member in row[0]["members"])
    return Published(row[0]["epoch"], members, datetime.fromisoformat(row[0]["published_at"]))


def wait_for_members(connection: Any, names: Iterable[str], patience_s: float = 60.0) -> Published:
    """The first view seen with exactly these members."""
    wanted = tuple(sorted(names))

    def look() -> Published | None:
        view = mirrored(connection)
        return view if view is not None and view.members == wanted else None

    return wait_for(look, f"a view of {', '.join(wanted)}", patience_s, every_s=0.01)


def gone_by(running: Cluster, view: Published) -> dict[str, datetime]:
    """When each node told that ownership moves by this view; without those that did not tell."""
    found: dict[str, datetime] = {}
    for path in running.folder.glob("*.log"):
        if (at := told_at(path.read_text().splitlines(), view)) is not None:
            found[path.stem] = at
    return found


def told_at(lines: Iterable[str], view: Published) -> datetime | None:
    """When a log's line, one JSON object each, first tells of the view; None where none does."""
    for line in lines:
        said = json.loads(line) if line.startswith("{") else {}
        if said.get("event") == "members changed" and said.get("epoch") == view.epoch:
            return datetime.fromisoformat(said["timestamp"])
    return None
