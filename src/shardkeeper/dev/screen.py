"""The live view in a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from shardkeeper.dev.fleet import Death
from shardkeeper.dev.picture import JobPicture, Picture, first_error, lateness, nodes_of, short, took
from shardkeeper.devservers.fake_slack import Received
from shardkeeper.ports.operator import Row

MARKS: Final = {
    "COMPLETED": ("●", "green"),
    "FAILED": ("✗", "red"),
    "STOPPED": ("■", "yellow"),
    "MISSED": ("○", "yellow"),
    "SKIPPED": ("–", "dim"),
    "RUNNING": ("◐", "cyan"),
    "CREATED": ("·", "cyan"),
}
STATES: Final = {"active": "green", "draining": "yellow", "unfit": "yellow"}
OWNERS_NAMED: Final = 5
"""Of more items, only how many each node owns is shown."""
_LEAST_JOBS, _LEAST_RUNS = 4, 4


class Screen:
    """Takes the whole terminal while it is open, and gives it back as it was."""

    def __init__(self, console: Console, title: str, help_lines: Sequence[str]) -> None:
        self._console = console
        self._title = title
        self._help = help_lines
        self._began = datetime.now(UTC)
        self._deaths: list[Death] = []
        self._live = Live(console=console, screen=True, auto_refresh=False)
        self._live.start()

    def show(self, picture: Picture, inbox: tuple[Received, ...], deaths: list[Death]) -> None:
        """Draw the picture."""
        self._deaths += deaths
        self._live.update(self._draw(picture, inbox), refresh=True)

    def close(self) -> None:
        """Give the terminal back; idempotent."""
        self._live.stop()

    def _draw(self, picture: Picture, inbox: tuple[Received, ...]) -> RenderableType:
        fixed = 12 + len(picture.nodes) + len(self._deaths) + len(picture.notes) + len(self._help)
        messages = min(len(inbox), 4)
        room = max(0, self._console.height - fixed - max(1, messages))
        jobs = max(_LEAST_JOBS, min(len(picture.jobs), room - _LEAST_RUNS))
        runs = max(_LEAST_RUNS, room - min(jobs, len(picture.jobs)))
        parts: list[RenderableType] = [
            self._head(picture),
            self._nodes(picture),
            _jobs(picture, jobs),
            _runs(picture.runs, runs),
            _slack(inbox, messages),
            Text("\n".join(self._help), style="dim"),
        ]
        return Padding(Group(*_spaced(parts)), (0, 1))

    def _head(self, picture: Picture) -> RenderableType:
        up = datetime.now(UTC) - self._began
        said = Text.assemble((self._title, "bold"), "   ", (f"up {short(up)}", "dim"))
        line = Table.grid(expand=True)
        line.add_column()
        line.add_column(justify="right")
        line.add_row(said, Text(f"{picture.at:%H:%M:%S} UTC", style="dim"))
        notes = [Text(note, style="yellow", no_wrap=True, overflow="ellipsis") for note in picture.notes]
        return Group(line, *notes)

    def _nodes(self, picture: Picture) -> RenderableType:
        table = _table("NODE", "PID", "STATE", "VIEW", "OWNS", "RUNNING", "LEASE")
        owned = Counter(owner for job in picture.jobs if not job.by_node for owner in job.owners)
        for row in picture.nodes:
            name = Text.assemble(row["node_id"], ("  leads", "cyan") if row["leader"] else "")
            table.add_row(
                name,
                Text(str(row["pid"] or ""), style="dim"),
                Text(row["state"], style=STATES.get(row["state"], "")),
                str(row["applied_epoch"] or "–"),
                f"{owned[row['node_id']]} items",
                f"{row['running']} {'item' if row['running'] == 1 else 'items'}" if row["running"] else "–",
                Text(_beat(row, picture.at), style="dim"),
            )
        alive = {row["node_id"] for row in picture.nodes}
        for death in self._deaths:
            gone = "" if death.node_id in alive else "its items have other owners"
            table.add_row(
                Text(death.node_id, style="red"),
                Text(str(death.pid), style="dim"),
                Text(death.how, style="red"),
                gone,
                "",
                "",
                "",
            )
        return table


def _jobs(picture: Picture, most: int) -> RenderableType:
    table = _table("JOB", "WHEN", "ITEMS BELONG TO", "LAST RUNS", "LATE", "NEXT")
    for job in picture.jobs[:most]:
        table.add_row(
            Text(job.name, no_wrap=True, overflow="ellipsis"),
            Text(job.schedule, style="dim", no_wrap=True),
            _owners(job),
            Text.assemble(*(MARKS.get(run["status"], ("?", "")) for run in job.last_runs)),
            Text(_typical(job.last_runs), style="dim", justify="right"),
            _next(job, picture.at),
        )
    if len(picture.jobs) > most:
        table.add_row(Text(f"{len(picture.jobs) - most} more: shardkeeper jobs", style="dim"))
    return table


def _owners(job: JobPicture) -> Text:
    if job.by_node:
        return Text("one on each node", style="dim")
    names = [_short_name(owner) for owner in job.owners]
    if len(names) <= OWNERS_NAMED:
        return Text(" ".join(names), no_wrap=True, overflow="ellipsis")
    counts = sorted(Counter(names).items())
    return Text(" ".join(f"{name}×{count}" for name, count in counts), no_wrap=True, overflow="ellipsis")


def _short_name(owner: str | None) -> str:
    return "nobody" if owner is None else owner


def _next(job: JobPicture, now: datetime) -> Text:
    if job.row["problem"]:
        return Text("problem", style="red")
    if job.row["paused"]:
        return Text("paused", style="yellow")
    if not job.row["enabled"]:
        return Text("disabled", style="yellow")
    if job.next_fire is None:
        return Text("–", style="dim")
    return Text(f"in {short(max(timedelta(0), job.next_fire - now))}", justify="right")


def _runs(runs: Sequence[Row], most: int) -> RenderableType:
    table = _table("RUN", "STATUS", "LATE", "TOOK", "WHERE, OR WHY NOT", wide=4)
    for run in runs[:most]:
        mark, style = MARKS.get(run["status"], ("?", ""))
        nodes = " ".join(f"{name}×{n}" if n > 1 else name for name, n in sorted(nodes_of(run).items()))
        why = first_error(run) if run["status"] not in ("COMPLETED", "RUNNING", "CREATED") else None
        table.add_row(
            Text(run["name"], no_wrap=True, overflow="ellipsis"),
            Text(f"{mark} {run['status'].lower()}", style=style),
            Text(short(lateness(run)), style="dim", justify="right"),
            Text(short(took(run)), style="dim", justify="right"),
            Text(why or nodes, style="dim", no_wrap=True, overflow="ellipsis"),
        )
    return table


def _slack(inbox: tuple[Received, ...], most: int) -> RenderableType:
    lines = [
        Text(message.text, no_wrap=True, overflow="ellipsis")
        for message in reversed(inbox[-most:] if most else ())
    ]
    head = Text.assemble(("SLACK", "bold dim"), ("  an inbox on this machine, nothing leaves it", "dim"))
    if len(inbox) > 1:
        head.append(f"; {len(inbox)} messages, the newest first", style="dim")
    return Group(head, *(lines or [Text("nothing yet", style="dim")]))


def _beat(row: Row, now: datetime) -> str:
    beaten: datetime | None = row.get("beaten_at")
    return "" if beaten is None else f"beaten {short(max(timedelta(0), now - beaten))} ago"


def _typical(runs: Sequence[Row]) -> str:
    late = sorted(span for span in map(lateness, runs) if span is not None)
    return short(late[len(late) // 2]) if late else ""


def _table(*columns: str, wide: int | None = None) -> Table:
    table = Table(box=None, padding=(0, 3, 0, 0), pad_edge=False, header_style="bold dim", show_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, no_wrap=True, ratio=1 if number == wide else None)
    return table


def _spaced(parts: list[RenderableType]) -> list[RenderableType]:
    spaced: list[RenderableType] = []
    for part in parts:
        spaced += [part, Text("")]
    return spaced[:-1]
