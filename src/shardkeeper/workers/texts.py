"""Texts that leave a task: cut to a bound, cleaned of what PostgreSQL cannot store, secrets masked."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

MESSAGE_LIMIT = 4_000
TRACEBACK_LIMIT = 16_000
MASK = "***"

_PACKAGE = str(Path(__file__).parent.parent) + "/"
_OUR_FILES = (_PACKAGE + "workers/", _PACKAGE + "phases.py")

_NAMED = (
    r"pass(?:word|wd|phrase)?|pwd|secret|token|api[_-]?key|access[_-]?key|secret[_-]?key|private[_-]?key"
    r"|authorization"
)
_PATTERNS = (
    # scheme://user:password@host
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:/?#@]*:)[^\s@/]+(?=@)", re.I), rf"\1{MASK}"),
    (re.compile(r"\bxox[a-z]-[\w-]+", re.I), MASK),
    (re.compile(r"(https://hooks\.slack\.com/)[\w/-]+", re.I), rf"\1{MASK}"),
    (re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]{6,}", re.I), rf"\1 {MASK}"),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*"), MASK),
    (re.compile(r"\bA[KS]IA[A-Z0-9]{16}\b"), MASK),
    # password=..., "api_key": "...", --token ...
    (
        re.compile(
            rf"""((?:\b|_)(?:{_NAMED})["']?\s*(?:=|:)\s*)(?!{re.escape(MASK)})(?:"[^"\n]*"|'[^'\n]*'|(?!Bearer|Basic)[^\s,;&"')}}\]]+)""",
            re.I,
        ),
        rf"\1{MASK}",
    ),
)
# what cannot be half of a hint: a cheap look before the patterns, as most texts hold no secret
_HINT = re.compile(rf"://|xox|bearer|basic|eyJ|A[KS]IA|{_NAMED}", re.I)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """``text`` with each of ``secrets`` (of six characters or more) and what looks like a secret masked.

    Found: passwords in URLs, Slack tokens and webhooks, Bearer and Basic credentials, JSON web tokens, AWS
    key ids, and values given to names such as ``password``, ``token``, ``api_key``.
    """
    for secret in secrets:
        if len(secret) >= 6:
            text = text.replace(secret, MASK)
    if _HINT.search(text):
        for pattern, masked in _PATTERNS:
            text = pattern.sub(masked, text)
    return text


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
