"""Masking secrets in texts that leave the system: logs, errors, messages."""

from __future__ import annotations

import re
from collections.abc import Iterable

MASK = "***"

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
