"""Every test that the reliability page names exists where the page says, and every fault has what shows it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

import pytest

from tests.docs.pages import ROOT, sections, table

PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
NAME = re.compile(r"`(test_\w+)`")
PLACED = re.compile(r"`(test_\w+)` \((\w+)\)")
DEFINED = re.compile(r"^def (test_\w+)\(", re.M)
FAULTS = sections(PAGE.split("## What each fault does")[1].split("### What cannot be tried")[0])
CHECKS = set(
    re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "simulation.md").read_text(encoding="utf-8"), re.M)
)
"""Of the simulation."""


@pytest.fixture(scope="module")
def places() -> dict[str, set[str]]:
    """The folders in which tests of a name are defined."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in (ROOT / "tests").rglob("test_*.py"):
        for name in DEFINED.findall(path.read_text(encoding="utf-8")):
            found[name].add(path.parent.name)
    return found


def rows() -> Iterator[tuple[str, str]]:
    """Each fault and what shows it."""
    for text in FAULTS.values():
        for fault, _, shown_by in table(text):
            yield fault, shown_by


def test_every_test_named_on_the_page_exists(places: dict[str, set[str]]) -> None:
    named = set(NAME.findall(PAGE))
    assert len(named) > 150
    assert named - places.keys() == set()


def test_every_test_of_a_fault_is_in_the_folder_that_is_told(places: dict[str, set[str]]) -> None:
    wrong = [(name, place) for name, place in PLACED.findall(PAGE) if place not in places[name]]
    assert wrong == []
    for fault, shown_by in rows():
        assert len(PLACED.findall(shown_by)) == len(NAME.findall(shown_by)), fault


def test_every_fault_has_a_test_or_is_said_to_be_of_a_later_version() -> None:
    without = [fault for fault, shown_by in rows() if not NAME.search(shown_by)]
    assert len(list(rows())) > 80
    assert [fault.split(" ")[0] for fault in without] == ["requests"]


def test_the_checks_named_are_the_simulations() -> None:
    named = set(re.findall(r"(?:checks?|simulation:) `(\w+)`", PAGE)) | set(
        re.findall(r"` and `(\w+)`;", PAGE)
    )
    assert len(named) > 4
    assert named <= CHECKS


def test_each_promise_says_how_it_is_tried() -> None:
    promises = sections(PAGE.split("## The promises")[1].split("## What is not promised")[0])
    assert [title.split(".")[0] for title in promises] == [str(number) for number in range(1, 11)]
    assert [title for title, text in promises.items() if not NAME.search(text.split("*Tried by*")[1])] == []
