"""One thing that is wrong with an input, said so that a person can mend it."""

from __future__ import annotations

from dataclasses import dataclass

SHOWN_VALUE_LENGTH = 80


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one field: `field` by column name, `value` as shown (cut), `reason`, and the `mend`.

    Build it with `problem()`, which makes any value safe to print.
    """

    field: str
    value: str
    reason: str
    mend: str

    def __str__(self) -> str:
        shown = f" ({self.value})" if self.value else ""
        return f"{self.field}{shown}: {self.reason}; {self.mend}"


def problem(field: str, value: object, reason: str, mend: str) -> Problem:
    """A Problem about any value; control characters are escaped and long values are cut."""
    return Problem(shown(field), shown(value), reason, mend)


def shown(value: object) -> str:
    """`value` as one short printable line: control characters and ANSI escaped, at most 80 characters."""
    text = value if isinstance(value, str) else repr(value)
    cut = text[: SHOWN_VALUE_LENGTH + 1]
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)
    if len(safe) > SHOWN_VALUE_LENGTH:
        return safe[: SHOWN_VALUE_LENGTH - 1] + "…"
    return safe
