"""What goes to standard output: the answer and nothing else. What should be said beside it goes to standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any, Final

import click
from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from shardkeeper.domain.durations import format_duration

WIDE: Final = 400
"""Columns where nobody looks: what is piped is not folded, so that grep finds whole lines."""
STYLES: Final = {
    "COMPLETED": "green", "FAILED": "bold red", "TIMED_OUT": "bold red", "LOST": "red", "STOPPED": "yellow",
    "MISSED": "red", "SKIPPED": "yellow", "RUNNING": "cyan", "CREATED": "cyan", "PENDING": "blue",
    "running": "cyan", "pending": "blue", "idle": "dim", "busy": "yellow",
    "active": "green", "draining": "yellow", "unfit": "red", "dead": "dim red",
    "ok": "green", "warning": "yellow", "failed": "bold red",
    "added": "green", "changed": "yellow", "removed": "red",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: ``show`` makes a row's cell. ``fold``: may be broken into lines where room is short."""

    title: str
    show: Callable[[Mapping[str, Any]], str | Text]
    right: bool = False
    fold: bool = False


def plain(title: str, name: str, *, right: bool = False, fold: bool = False) -> Column:
    """The row's value under ``name`` as it is."""
    return Column(title, lambda row: text(row[name]), right, fold)


def state(title: str, name: str) -> Column:
    """A word of state, in its colour."""
    return Column(title, lambda row: Text(text(row[name]), STYLES.get(text(row[name]), "")))


def text(value: Any) -> str:
    """A value on one line; nothing for None."""
    if value is None:
        return ""
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float | Decimal):
        return f"{float(value):.6f}".rstrip("0").rstrip(".")
    if isinstance(value, Mapping) and all(isinstance(one, str) for one in value.values()):
        return safe(", ".join(f"{key}={one}" for key, one in value.items()))
    if isinstance(value, Mapping | list | tuple):
        return safe(json.dumps(value, default=_jsonable, ensure_ascii=False))
    return safe(str(value))


def safe(found: str, keep: str = "") -> str:
    """The text with every control character made visible: what tasks and people wrote must not drive a terminal."""
    return "".join(c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in found)


def took(start: datetime | None, end: datetime | None) -> str:
    """How long something took, short."""
    if start is None or end is None:
        return ""
    seconds = (end - start).total_seconds()
    if seconds < 10:
        return f"{seconds:.3f} s"
    return f"{seconds:.1f} s" if seconds < 120 else format_duration(timedelta(seconds=round(seconds)))


class Output:
    """One command's answer, as JSON or for people; times in ``zone``."""

    def __init__(self, as_json: bool, zone: tzinfo) -> None:
        self.as_json = as_json
        self._zone = zone

    def time(self, instant: datetime | None) -> str:
        """An instant in the zone that was asked for; fractions to the millisecond, where there are any."""
        if instant is None:
            return ""
        local = instant.astimezone(self._zone).replace(tzinfo=None)
        fraction = f".{local.microsecond // 1000:03d}" if local.microsecond >= 1000 else ""
        return f"{local.isoformat(' ', 'seconds')}{fraction}"

    def instant(self, title: str, name: str) -> Column:
        """A column of instants; their zone stands in its title."""
        return Column(f"{title} ({self.zone_name})", lambda row: self.time(row[name]))

    @property
    def zone_name(self) -> str:
        """The zone's name for titles."""
        return "UTC" if self._zone is UTC else str(self._zone)

    def rows(
        self, rows: Sequence[Mapping[str, Any]], columns: Iterable[Column], empty: str, caption: str = ""
    ) -> None:
        """A listing; ``empty`` is said where there is nothing to list."""
        if self.as_json:
            print_json(list(rows))
        elif not rows:
            note(empty)
        else:
            show(table(rows, columns))
            if caption:
                show(Text(caption, "dim"))

    def one(self, row: Mapping[str, Any], *parts: RenderableType) -> None:
        """One object; ``parts`` is how people see it."""
        if self.as_json:
            print_json(row)
        else:
            show(Group(*parts))


def table(rows: Sequence[Mapping[str, Any]], columns: Iterable[Column]) -> Table:
    """A table with one line per row."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", show_edge=False)
    shown = [*columns]
    for column in shown:
        made.add_column(
            column.title,
            justify="right" if column.right else "left",
            no_wrap=not column.fold,
            overflow="fold" if column.fold else "ellipsis",
        )
    for row in rows:
        made.add_row(*(column.show(row) for column in shown))
    return made


def facts(pairs: Iterable[tuple[str, str | Text]]) -> Table:
    """Names and values, one pair per line; pairs without a value are left out."""
    made = Table.grid(padding=(0, 2))
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in pairs:
        if value:
            made.add_row(name, value)
    return made


def coloured(word: str) -> Text:
    """A word of state in its colour."""
    return Text(word, STYLES.get(word, ""))


def show(what: RenderableType) -> None:
    """Print for people. What is piped has neither colours nor folded lines."""
    looked_at = sys.stdout.isatty()
    console = Console(
        file=sys.stdout,
        width=None if looked_at else WIDE,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=False,
    )
    with console.capture() as captured:
        console.print(what)
    lines = (line.rstrip() for line in captured.get().splitlines())
    click.echo("\n".join(lines), color=looked_at or None)


def note(message: str) -> None:
    """Say something beside the answer."""
    click.echo(f"note: {message}", err=True)


def notes(messages: Iterable[str]) -> None:
    """Say several things beside the answer."""
    for message in messages:
        note(message)


def print_json(value: Any) -> None:
    """The value as JSON: instants ISO 8601 in UTC, durations as text."""
    click.echo(json.dumps(value, default=_jsonable, ensure_ascii=False, indent=2))


def _jsonable(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Iterable):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no JSON")
