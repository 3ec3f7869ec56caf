"""Whoever follows a link arrives."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, prose_lines

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
ELSEWHERE = re.compile(r"[a-z]+:")


def anchors(page: Path) -> set[str]:
    """The names that the headings of a page have, as GitHub makes them."""
    headings = (
        line.lstrip("#") for _, line in prose_lines(page.read_text(encoding="utf-8")) if line.startswith("#")
    )
    return {re.sub(r"[^\w -]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


def broken(page: Path, root: Path = ROOT) -> list[str]:
    """Relative links of the page that lead nowhere, or out of the repository."""
    found = []
    for _, line in prose_lines(page.read_text(encoding="utf-8")):
        for target in LINK.findall(line):
            path, _, anchor = target.partition("#")
            if ELSEWHERE.match(target):
                continue
            there = (page.parent / path).resolve() if path else page
            leads_out = not there.is_relative_to(root)
            if leads_out or not there.exists() or (anchor and anchor not in anchors(there)):
                found.append(target)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    assert broken(page) == []


def test_a_link_to_nothing_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# Here\n[a](nothing.md) [b](#here) [c](#there) [d](https://host/x) [f](../page.md)\n```\n[e](code.md)\n```\n"
    )
    assert broken(page, tmp_path) == ["nothing.md", "#there", "../page.md"]


def test_the_index_names_every_page() -> None:
    index = ROOT / "docs" / "README.md"
    named = {(index.parent / target).resolve() for target in LINK.findall(index.read_text(encoding="utf-8"))}
    assert {page for page in (ROOT / "docs").rglob("*.md") if page != index} <= named
