"""What happens, as plain lines: for pipes, logs and whoever reads them later."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from shardkeeper.dev.fleet import Death
from shardkeeper.dev.picture import Picture, first_error, lateness, nodes_of, short, took
from shardkeeper.devservers.fake_slack import Received
from shardkeeper.ports.operator import Row

RUNS_TOLD: Final = 4
"""Of more runs that end between two looks, only numbers are told."""


class Lines:
    """Tells each change between two pictures once. ``write`` takes one line."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._members: tuple[str, ...] | None = None
        self._leader: str | None = None
        self._notes: tuple[str, ...] = ()
        self._messages = 0

    def show(self, picture: Picture, inbox: tuple[Received, ...], deaths: list[Death]) -> None:
        """Tell what is new."""
        for death in deaths:
            self._line("node", f"{death.node_id} (pid {death.pid}) {death.how}")
        if not picture.notes or picture.nodes:
            self._tell_members(picture)
        for note in picture.notes:
            if note not in self._notes:
                self._line("note", note)
        self._notes = picture.notes
        for run in picture.ended[:RUNS_TOLD]:
            self._line("run", run_line(run))
        self._tell_rest(picture.ended[RUNS_TOLD:])
        for message in inbox[self._messages :]:
            self._line("slack", message.text)
        self._messages = len(inbox)

    def close(self) -> None:
        """Nothing to put back."""

    def _tell_members(self, picture: Picture) -> None:
        members = tuple(row["node_id"] for row in picture.nodes if row["state"] == "active")
        if (members, picture.leader) != (self._members, self._leader):
            led = f", led by {picture.leader} (view {picture.epoch})" if picture.leader else ""
            self._line("nodes", f"{' '.join(members) or 'none'}{led}")
            self._members, self._leader = members, picture.leader

    def _tell_rest(self, runs: tuple[Row, ...]) -> None:
        if runs:
            counts = Counter(run["status"] for run in runs)
            self._line(
                "run", f"{len(runs)} more: {', '.join(f'{n} {status}' for status, n in counts.items())}"
            )

    def _line(self, what: str, text: str) -> None:
        self._write(f"{datetime.now(UTC):%H:%M:%S}  {what:<5}  {text}")


def run_line(run: Row) -> str:
    """A run that has ended, in one line."""
    said = [f"{run['name']:<42} {run['status']:<9}"]
    nodes = nodes_of(run)
    if nodes:
        count = sum(nodes.values())
        where = " ".join(f"{node}×{n}" if n > 1 else node for node, n in sorted(nodes.items()))
        said.append(f"{count} item{'s' if count > 1 else ''} on {where},")
    late, length = lateness(run), took(run)
    if late is not None and length is not None:
        said.append(f"{short(late)} late, took {short(length)}")
    if run["missed_count"]:
        said.append(f"{run['missed_count']} {'fire' if run['missed_count'] == 1 else 'fires'}")
    error = first_error(run) if run["status"] != "COMPLETED" else None
    if error:
        said.append(f"({error[:120]})")
    return " ".join(said).rstrip(",")
