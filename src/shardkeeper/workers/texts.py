"""Texts that leave a task: cut to a bound, cleaned of what PostgreSQL cannot store, secrets masked."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from shardkeeper.domain.redaction import redact

MESSAGE_LIMIT = 4_000
TRACEBACK_LIMIT = 16_000

_PACKAGE = str(Path(__file__).parent.parent) + "/"
_OUR_FILES = (_PACKAGE + "workers/", _PACKAGE + "phases.py")


def cut(text: str, limit: int) -> str:
    """At most about ``limit`` characters, the middle left out and said so."""
    if len(text) <= limit:
        return text
    head = limit // 3
    tail = limit - head
    return f"{text[:head]}\n... {len(text) - limit} characters left out ...\n{text[-tail:]}"


def storable(text: str) -> str:
    """Without NUL characters and lone surrogates, which PostgreSQL refuses."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def bounded(text: str, limit: int, secrets: Iterable[str] = ()) -> str:
    """Cut, cleaned and redacted. Much longer texts are cut first, so that a huge one costs little."""
    return cut(redact(storable(cut(text, limit * 4)), secrets), limit)


def log_text(tail: bytes, lost: int, secrets: Iterable[str] = ()) -> str | None:
    """A log's last bytes as text; None when nothing was written."""
    if not tail:
        return None
    text = redact(storable(tail.decode("utf-8", "replace")), secrets)
    return f"... {lost} bytes left out ...\n{text}" if lost else text


def message_of(error: BaseException, secrets: Iterable[str] = ()) -> str:
    """An exception's own text, whatever its ``__str__`` does."""
    try:
        text = str(error)
    except Exception as broken:  # noqa: BLE001 - a task's exception class may do anything
        text = f"<{type(error).__name__} whose text raises {type(broken).__name__}>"
    return bounded(text, MESSAGE_LIMIT, secrets)


def traceback_of(error: BaseException, secrets: Iterable[str] = ()) -> str:
    """An exception's traceback from the task's first frame on."""
    try:
        lines = traceback.format_exception(type(error), error, _task_frames(error.__traceback__))
    except Exception as broken:  # noqa: BLE001 - as above
        lines = [f"<the traceback of {type(error).__name__} raises {type(broken).__name__}>"]
    return bounded("".join(lines), TRACEBACK_LIMIT, secrets)


def _task_frames(trace: TracebackType | None) -> TracebackType | None:
    """Without our own frames on top, which tell a task's author nothing."""
    whole = trace
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_OUR_FILES):
        trace = trace.tb_next
    return trace or whole
