"""Options and arguments that many commands share, each with one meaning."""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from shardkeeper.cli.output import Output
from shardkeeper.domain.durations import DurationInvalid, parse_duration

F = TypeVar("F", bound=Callable[..., Any])
WATCH_S = 2.0


def zone(value: Any) -> tzinfo:
    """A time zone by its IANA name."""
    if isinstance(value, tzinfo):
        return value
    if str(value).upper() == "UTC":
        return UTC
    try:
        return ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise click.BadParameter(f"{value!r} is not a time zone; write for example Europe/Berlin") from error


def instant(value: Any) -> datetime:
    """An instant in ISO 8601 (UTC where it names no offset), or `now`; aware, UTC."""
    if isinstance(value, datetime):
        return value
    if value == "now":
        return datetime.now(UTC)
    try:
        found = datetime.fromisoformat(value)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        mend = "write for example 2026-11-21T03:00:00Z"
        raise click.BadParameter(f"{value!r} is not an instant; {mend}") from error


def ago(value: Any) -> datetime:
    """An instant, or a duration before now."""
    return _relative(value, -1)


def ahead(value: Any) -> datetime:
    """An instant, or a duration from now."""
    return _relative(value, 1)


def duration(value: Any) -> timedelta:
    """A duration such as `30s` or `1 hour`, not negative; a bare number is seconds."""
    if isinstance(value, timedelta):
        return value
    try:
        found = parse_duration(value if value.strip()[-1:].isalpha() else f"{value} s")
    except DurationInvalid as wrong:
        raise click.BadParameter(f"{value!r} {wrong.reason}; {wrong.mend}") from wrong
    if found < timedelta(0):
        raise click.BadParameter(f"{value!r} is negative")
    return found


def label(value: Any) -> tuple[str, str]:
    """NAME=VALUE, in its two parts."""
    if isinstance(value, tuple):
        return value
    name, sign, given = value.partition("=")
    if not sign or not name:
        raise click.BadParameter(f"{value!r} is not NAME=VALUE")
    return name, given


def parameter(value: Any) -> tuple[str, Any]:
    """NAME=VALUE, the value JSON where it is, else text."""
    name, given = label(value)
    try:
        return name, json.loads(given, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return name, given


def json_object(value: Any) -> dict[str, Any]:
    """A JSON object."""
    if isinstance(value, dict):
        return value
    try:
        found = json.loads(value, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(f"{value[:100].strip()!r} is not JSON") from error
    if not isinstance(found, dict):
        raise click.BadParameter(f'{value[:100].strip()!r} is no JSON object; write {{"name": value}}')
    return found


def _relative(value: Any, sign: int) -> datetime:
    if isinstance(value, datetime):
        return value
    try:
        return datetime.now(UTC) + sign * parse_duration(value)
    except (DurationInvalid, OverflowError):
        return instant(value)


def _no_constant(text: str) -> Any:
    raise ValueError(text)


labels = click.option(
    "-l",
    "--label",
    "labels",
    type=label,
    multiple=True,
    callback=lambda ctx, param, given: dict(given),
    help="Only what has this label; may be given again.",
)
parameters = click.option(
    "--param",
    "parameters",
    type=parameter,
    multiple=True,
    callback=lambda ctx, param, given: dict(given),
    help="A parameter NAME=VALUE, over the job's; the value as JSON where it is. May be given again.",
)


def waiting(command: F) -> F:
    """Adds --wait and --timeout."""
    for option in (
        click.option("--timeout", type=duration, help="How long --wait waits; default: for ever."),
        click.option(
            "--wait", is_flag=True, help="Until it has ended; exit 1 when it failed, 75 when time ran out."
        ),
    ):
        command = option(command)
    return command


def answering(command: F) -> F:
    """Gives the command an ``output`` made of --json and --tz."""

    @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    @click.option("--tz", type=zone, default="UTC", show_default=True, help="Show times in this zone.")
    @functools.wraps(command)
    def with_output(*args: Any, as_json: bool, tz: tzinfo, **given: Any) -> Any:
        return command(*args, output=Output(as_json, tz), **given)

    return with_output  # type: ignore[return-value]  # the same command with two options more


def watching(command: F) -> F:
    """Adds --watch: the command's answer again and again, until Ctrl-C."""

    @click.option("--watch", is_flag=True, help=f"Again every {WATCH_S:g} s, until Ctrl-C.")
    @functools.wraps(command)
    def again(*args: Any, watch: bool, **given: Any) -> None:
        if not watch:
            command(*args, **given)
            return
        never = threading.Event()
        try:
            while True:
                click.clear()
                command(*args, **given)
                never.wait(WATCH_S)
        except KeyboardInterrupt:
            return

    return again  # type: ignore[return-value]  # the same command with one option more


def one_line(parts: Sequence[str]) -> str:
    """An argument of many words as one text."""
    return " ".join(parts)
