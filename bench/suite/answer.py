"""What is printed of a scenario, and how a figure is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.tables import text_table

HEAD = ("figure", "budget", "median", "rounds", "")


def figure_rows(document: Mapping[str, Any]) -> list[list[str]]:
    """A line for each figure of a scenario's document, under HEAD."""
    return [_row(figure, document) for figure in document["figures"]]


def text(document: Mapping[str, Any]) -> str:
    """For the terminal."""
    table = text_table(HEAD, figure_rows(document))
    return "\n".join([f"\n{document['title']}", table, *map("  {}".format, remarks(document))])


def remarks(document: Mapping[str, Any]) -> list[str]:
    """Processor's shares, and what the rounds had to say."""
    cores = ", ".join(f"{kind} {share:.2f}" for kind, share in document["cores"].items() if share >= 0.005)
    return [*([f"cores in use: {cores}"] if cores else []), *document["notes"]]


def written(value: float, unit: str) -> str:
    """With as many digits as say something."""
    digits = 0 if abs(value) >= 100 or value == int(value) else 1 if abs(value) >= 10 else 2
    number = f"{value:,.{digits}f}"
    return number if not unit else f"{number}{unit}" if unit.startswith("/") else f"{number} {unit}"


def _row(figure: Mapping[str, Any], document: Mapping[str, Any]) -> list[str]:
    name, unit = figure["name"], figure["unit"]
    rounds: Sequence[Mapping[str, float]] = document["rounds"]
    found = document["medians"].get(name)
    return [
        figure["says"],
        _budget(figure),
        "–" if found is None else written(found, unit),
        ", ".join(written(one[name], unit) for one in rounds if name in one),
        _verdict(figure, document),
    ]


def _budget(figure: Mapping[str, Any]) -> str:
    if figure["at_most"] is not None:
        return f"≤ {written(figure['at_most'], figure['unit'])}"
    return "" if figure["at_least"] is None else f"≥ {written(figure['at_least'], figure['unit'])}"


def _verdict(figure: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    if figure["at_most"] is None and figure["at_least"] is None:
        return ""
    return "missed" if figure["name"] in document["missed"] else "kept"
