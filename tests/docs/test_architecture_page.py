"""Every test that the architecture page names exists, and every rule has one."""

from __future__ import annotations

import re

from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (\d+) \| [^|]+ \| `(test_\w+)` \|", re.M)


def test_every_test_named_on_the_page_exists() -> None:
    named = {name for _, name in ROW.findall(PAGE)}
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert len(named) > 40
    assert {name for name in named if f"def {name}(" not in code} == set()


def test_every_rule_has_a_test() -> None:
    described = {int(number) for number in re.findall(r"^### (\d+)\.", PAGE, re.M)}
    assert described == set(range(1, 17))
    assert {int(number) for number, _ in ROW.findall(PAGE)} == described
