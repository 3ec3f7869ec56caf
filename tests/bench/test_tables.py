"""The benchmarks' tables."""

from __future__ import annotations

from bench.tables import markdown_table, text_table


def test_a_text_table_pads_its_columns_the_figures_to_the_right() -> None:
    told = text_table(("system", "kind", "rate"), [("ours", "process", "9,000"), ("another", "thread", "80")])
    assert told.splitlines() == [
        "system   kind      rate",
        "ours     process  9,000",
        "another  thread      80",
    ]


def test_a_markdown_table_keeps_a_bar_inside_its_cell() -> None:
    assert markdown_table(("a", "b"), [("1|2", "3")]).splitlines() == [
        "| a | b |",
        "| --- | --- |",
        "| 1\\|2 | 3 |",
    ]
