"""Reading pages of the documentation: sections, tables, code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
REFERENCE: Final = ROOT / "docs" / "reference"


def page(name: str) -> str:
    """A page of the reference."""
    return (REFERENCE / name).read_text(encoding="utf-8")


def sections(text: str, level: int = 3) -> dict[str, str]:
    """What stands under each heading of this level, up to the next heading of this level or above."""
    found: dict[str, str] = {}
    title: str | None = None
    for line in prose_lines(text, with_code=True):
        heading = re.match(r"(#+) (.*)", line[1]) if not line[0] else None
        if heading and len(heading[1]) <= level:
            title = heading[2] if len(heading[1]) == level else None
            if title is not None:
                assert title not in found, f"two sections are called {title}"
                found[title] = ""
        elif title is not None:
            found[title] += line[1] + "\n"
    return found


def prose_lines(text: str, *, with_code: bool = False) -> Iterator[tuple[bool, str]]:
    """Each line, and whether it is inside a fenced block of code."""
    inside = False
    for line in text.splitlines():
        fence = line.lstrip().startswith("```")
        if with_code or not (inside or fence):
            yield inside or fence, line
        if fence:
            inside = not inside


def table(text: str) -> list[list[str]]:
    """The cells of the first table, without its head."""
    rows = []
    for _, line in prose_lines(text):
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip().strip("|").split("|")])
        elif rows:
            break
    return rows[2:]


def code(text: str, language: str) -> list[str]:
    """The fenced blocks of this language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def plain(cell: str) -> str:
    """A cell without the marks of code."""
    return cell.strip().strip("`")
