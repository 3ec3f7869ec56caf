"""docs/benchmarks.md: one page from what the scenarios have left in docs/benchmarks/."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bench.suite.answer import HEAD, figure_rows, remarks
from bench.suite.lineup import SCENARIOS
from bench.tables import markdown_table

DOCS = Path(__file__).parents[2] / "docs"
FOLDER = DOCS / "benchmarks"
PAGE = DOCS / "benchmarks.md"

TEXT = """# Benchmarks

Written by `make bench WRITE=1`, or by `make bench-NAME WRITE=1` for one scenario. Each scenario starts servers and
nodes of its own on one machine, all of which share its processors; PostgreSQL flushes each commit. A figure is the
median of the rounds beside it, which were measured one after the other in one run. Compare figures of one table with
each other: on another machine all of them change.

Beside other systems: {beside}.

{sections}
"""

BESIDE = {
    "on-demand.md": "work on demand",
    "on-demand-awake.md": "work on demand where idle processors do not halt",
    "schedules.md": "schedules",
}
"""Pages of their own in FOLDER, linked where they have been written."""


def keep(document: Mapping[str, Any]) -> None:
    """Leave a scenario's document and its picture for the page, and renew that."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    name = document["scenario"]
    (FOLDER / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")
    if (draw := SCENARIOS[name].draw) is not None:
        draw(document, FOLDER / f"{name}.png")
    PAGE.write_text(page(_kept()))
    if (kept := SCENARIOS[name].kept) is not None:
        kept()


def page(documents: Iterable[Mapping[str, Any]]) -> str:
    """The whole file."""
    return TEXT.format(sections="\n\n".join(map(_section, documents)), beside=_beside())


def _beside() -> str:
    return ", ".join(
        f"[{title}](benchmarks/{name})" for name, title in BESIDE.items() if (FOLDER / name).exists()
    )


def _kept() -> list[dict[str, Any]]:
    paths = (FOLDER / f"{name}.json" for name in SCENARIOS)
    return [json.loads(path.read_text()) for path in paths if path.exists()]


def _section(document: Mapping[str, Any]) -> str:
    name = document["scenario"]
    machine = ", ".join(f"{fact} {value}" for fact, value in document["machine"].items())
    plot = f"\n\n![{document['title']}](benchmarks/{name}.png)" if (FOLDER / f"{name}.png").exists() else ""
    said = "\n".join(f"- {remark}" for remark in remarks(document))
    parts = [
        f"## {document['title']}",
        f"`make bench-{name}`: {document['how']}",
        markdown_table(HEAD, figure_rows(document)) + (f"\n\n{said}" if said else "") + plot,
        f"({machine}.)",
    ]
    return "\n\n".join(parts)
