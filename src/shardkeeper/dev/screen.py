"""The live view in a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from shardkeeper.dev.fleet import Death
from shardkeeper.dev.picture import (
    LAST_RUNS,
    JobPicture,
    Picture,
    first_error,
    lateness,
    nodes_of,
    short,
    took,
)
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
FIGURES: Final = frozenset({"LATE", "TOOK", "NEXT"})
MESSAGES: Final = 4
_LEAST_JOBS, _LEAST_RUNS = 4, 2


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
        self._live.update(self.draw(picture, inbox, deaths), refresh=True)

    def close(self) -> None:
        """Give the terminal back; idempotent."""
        self._live.stop()

    def draw(self, picture: Picture, inbox: tuple[Received, ...], deaths: list[Death]) -> RenderableType:
        """What is shown, made to fit; ``deaths`` are remembered."""
        self._deaths += deaths
        fixed = 12 + len(picture.nodes) + len(self._deaths) + len(picture.notes) + len(self._help)
        told = _messages(inbox)
        messages = min(len(told), MESSAGES)
        room = max(0, self._console.height - fixed - max(1, messages))
        jobs = max(_LEAST_JOBS, min(len(picture.jobs), room - _LEAST_RUNS))
        runs = max(_LEAST_RUNS, room - min(jobs, len(picture.jobs)))
        parts: list[RenderableType] = [
            self._head(picture),
            self._nodes(picture),
            _jobs(picture, jobs),
            _runs(picture.runs, runs),
            _slack(told, messages),
            Text("\n".join(self._help), style="dim", no_wrap=True, overflow="ellipsis"),
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
        table = _table(dict.fromkeys(("NODE", "PID", "STATE", "VIEW", "OWNS", "RUNNING", "LEASE"), 4))
        dead = {death.pid: death for death in self._deaths}
        owned = Counter(owner for job in picture.jobs if not job.by_node for owner in job.owners)
        for row in picture.nodes:
            gone = dead.pop(row["pid"], None)
            name = Text.assemble(row["node_id"], ("  leads", "cyan") if row["leader"] else "")
            table.add_row(
                name,
                Text(str(row["pid"] or ""), style="dim"),
                Text(gone.how, style="red")
                if gone
                else Text(row["state"], style=STATES.get(row["state"], "")),
                str(row["applied_epoch"] or "–"),
                _items(owned[row["node_id"]]),
                _items(row["running"]),
                Text(_beat(row, picture.at), style="dim"),
            )
        names = {row["node_id"] for row in picture.nodes}
        for death in dead.values():
            if death.node_id not in names:
                state = Text(death.how, style="red")
                table.add_row(death.node_id, Text(str(death.pid), style="dim"), state, "–", "–", "–")
        return table


def _items(count: int) -> str:
    return "–" if not count else f"{count} item{'s' if count > 1 else ''}"


def _jobs(picture: Picture, most: int) -> RenderableType:
    table = _table({"JOB": None, "WHEN": None, "OWNERS": None, "LAST RUNS": LAST_RUNS, "LATE": 6, "NEXT": 7})
    shown = picture.jobs if len(picture.jobs) <= most else picture.jobs[: most - 1]
    for job in shown:
        table.add_row(
            Text(job.name, no_wrap=True, overflow="ellipsis"),
            Text(job.schedule, style="dim", no_wrap=True, overflow="ellipsis"),
            _owners(job),
            Text.assemble(*(MARKS.get(run["status"], ("?", "")) for run in job.last_runs)),
            Text(_typical(job.last_runs), style="dim", justify="right"),
            _next(job, picture.at),
        )
    if len(picture.jobs) > len(shown):
        table.add_row(Text(f"{len(picture.jobs) - len(shown)} more: shardkeeper jobs", style="dim"))
    return table


def _owners(job: JobPicture) -> Text:
    if job.by_node:
        return Text("one on each node", style="dim", no_wrap=True, overflow="ellipsis")
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
    seconds = max(0.0, (job.next_fire - now).total_seconds())
    far = f"{job.next_fire:%H:%M}" if seconds < 86_400 else f"{job.next_fire:%Y-%m-%d %H:%M}"
    return Text(f"in {seconds:.0f} s" if seconds < 600 else far, justify="right")


def _runs(runs: Sequence[Row], most: int) -> RenderableType:
    table = _table({"RUN": None, "STATUS": 11, "LATE": 6, "TOOK": 6, "WHERE, OR WHY NOT": None})
    for run, count in _folded(runs)[:most]:
        mark, style = MARKS.get(run["status"], ("?", ""))
        nodes = " ".join(f"{name}×{n}" if n > 1 else name for name, n in sorted(nodes_of(run).items()))
        why = first_error(run) if run["status"] not in ("COMPLETED", "RUNNING", "CREATED") else None
        table.add_row(
            Text.assemble(
                run["name"], (f"  ×{count}", "dim") if count > 1 else "", no_wrap=True, overflow="ellipsis"
            ),
            Text(f"{mark} {run['status'].lower()}", style=style),
            Text(short(lateness(run)), style="dim", justify="right"),
            Text(short(took(run)), style="dim", justify="right"),
            Text(why or nodes, style="dim", no_wrap=True, overflow="ellipsis"),
        )
    return table


def _folded(runs: Sequence[Row]) -> list[tuple[Row, int]]:
    """Runs of a job that were skipped for the same reason are one line, with how many there were."""
    found: dict[tuple[object, ...], tuple[Row, int]] = {}
    for run in runs:
        skipped = run["status"] == "SKIPPED"
        key = (run["job_name"], run["reason"]) if skipped else (run["id"],)
        first, count = found.get(key, (run, 0))
        found[key] = (first, count + 1)
    return list(found.values())


def _slack(inbox: Sequence[tuple[str, int]], most: int) -> RenderableType:
    head = Text.assemble(("SLACK", "bold dim"), ("  an inbox on this machine: nothing leaves it", "dim"))
    lines = [
        Text.assemble(text, (f"  ×{count}", "dim") if count > 1 else "", no_wrap=True, overflow="ellipsis")
        for text, count in inbox[:most]
    ]
    return Group(head, *(lines or [Text("nothing yet", style="dim")]))


def _messages(inbox: tuple[Received, ...]) -> list[tuple[str, int]]:
    """Each text once with how often it came, the newest first."""
    counts = Counter(message.text for message in inbox)
    newest = dict.fromkeys(message.text for message in reversed(inbox))
    return [(text, counts[text]) for text in newest]


def _beat(row: Row, now: datetime) -> str:
    beaten: datetime | None = row.get("beaten_at")
    return "" if beaten is None else f"beaten {max(0.0, (now - beaten).total_seconds()):.1f} s ago"


def _typical(runs: Sequence[Row]) -> str:
    late = sorted(span for span in map(lateness, runs) if span is not None)
    return short(late[len(late) // 2]) if late else ""


def _table(columns: Mapping[str, int | None]) -> Table:
    """Titles and least widths. What is too long is cut in columns without one; the others are never cut."""
    table = Table(box=None, padding=(0, 3, 0, 0), pad_edge=False, header_style="bold dim")
    for title, width in columns.items():
        table.add_column(
            title,
            justify="right" if title in FIGURES else "left",
            no_wrap=width is not None,
            min_width=width,
            overflow="ellipsis",
        )
    return table


def _spaced(parts: list[RenderableType]) -> list[RenderableType]:
    spaced: list[RenderableType] = []
    for part in parts:
        spaced += [part, Text("")]
    return spaced[:-1]
