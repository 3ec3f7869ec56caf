"""What is printed: the rows as a table."""

from __future__ import annotations

from collections.abc import Sequence

from bench.on_demand.rows import FIGURES, Row

HEAD = (
    "system",
    "isolation",
    "INSERT/s",
    "submit/s",
    "bulk/s",
    "drain/s",
    "steady/s",
    "pick-up p50",
    "p99",
    "cores while draining",
)


def cells(row: Row) -> list[str]:
    """As many as HEAD has."""
    if row.problem is not None:
        return [row.system, row.isolation, *("–" for _ in FIGURES), "–"]
    return [row.system, row.isolation, *(_figure(row, name) for name in FIGURES), _cores(row)]


def notes(rows: Sequence[Row]) -> list[str]:
    """One line for each row that has something to say."""
    return [
        f"{row.system} ({row.isolation}): {row.problem or '; '.join(row.notes)}."
        for row in rows
        if row.problem or row.notes
    ]


def _figure(row: Row, name: str) -> str:
    figure = row.figures.get(name)
    if figure is None:
        return "–"
    return f"{figure:.1f} ms" if name.endswith("_ms") else f"{figure:,.0f}"


def _cores(row: Row) -> str:
    return ", ".join(f"{kind} {share:.2f}" for kind, share in row.cores.items() if share >= 0.005)
