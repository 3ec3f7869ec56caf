"""Text that is safe to show in Slack: escaped, without control characters, secrets masked, cut."""

from __future__ import annotations

import re

from shardkeeper.domain.redaction import redact

LONGEST_TITLE = 300
LONGEST_FIELD = 500
LONGEST_ERROR = 2_000
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")
_MENTION = re.compile(r"@(here|channel|everyone)|<[@!][A-Za-z0-9^|_.-]+>|@[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


def plain(text: str, longest: int, secrets: tuple[str, ...] = ()) -> str:
    """Escaped as Slack asks (&, <, >), so that neither links nor <!channel> take effect; masked before it is cut."""
    masked = _CONTROL.sub("\ufffd", redact(text, secrets))
    cut = masked if len(masked) <= longest else masked[: longest - 1] + "…"
    return cut.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def code(text: str, longest: int, secrets: tuple[str, ...] = ()) -> str:
    """A code block that its content cannot end."""
    unfenced = text.replace("```", "'''")
    return f"```{plain(unfenced, longest, secrets)}```"


def mention(text: str | None) -> str | None:
    """An owner's mention as the spec gives it; None where it is not one."""
    if text is None or _MENTION.fullmatch(text) is None:
        return None
    special = text.removeprefix("@")
    return f"<!{special}>" if special in ("here", "channel", "everyone") else text
