"""The benchmark of work on demand: its turns, rows and page."""

from __future__ import annotations

from dataclasses import dataclass, field

from bench.on_demand.answer import HEAD, cells, notes
from bench.on_demand.contenders import Unavailable, measure
from bench.on_demand.options import Options
from bench.on_demand.page import document, page, place
from bench.on_demand.rows import Round, Row


@dataclass
class Scripted:
    """A contender whose rounds are written down; None: it cannot go on."""

    name: str
    rates: list[float | None]
    diary: list[str]
    isolation: str = "process"
    notes: tuple[str, ...] = field(default=("like for like",))

    def round(self) -> Round:
        self.diary.append(self.name)
        rate = self.rates.pop(0)
        if rate is None:
            raise Unavailable("its worker ended with 1")
        return Round({"whole_per_s": rate, "p50_ms": rate / 1000}, {"workers": 0.5})


def test_in_each_round_all_take_their_turn_and_medians_count() -> None:
    diary: list[str] = []
    told: list[str] = []
    first, second = Scripted("a", [3.0, 1.0, 2.0], diary), Scripted("b", [30.0, 10.0, 20.0], diary)
    rows = measure([first, second], 3, lambda: 500.0, told.append)
    assert diary == ["a", "b"] * 3
    assert [row.figures["whole_per_s"] for row in rows] == [2.0, 20.0]
    assert rows[0].figures["bare_per_s"] == 500.0
    assert rows[0].cores == {"workers": 0.5}
    assert len(told) == 6


def test_one_with_a_problem_takes_no_further_turn_and_its_row_says_why() -> None:
    diary: list[str] = []
    rows = measure(
        [Scripted("a", [1.0, None, 1.0], diary), Scripted("b", [1.0] * 3, diary)],
        3,
        lambda: 500.0,
        lambda text: None,
    )
    assert diary == ["a", "b", "a", "b", "b"]
    assert rows[0].problem == "its worker ended with 1"
    assert rows[0].figures == {}
    assert rows[1].problem is None


def test_cells_have_units_and_a_dash_for_what_was_not_measured() -> None:
    row = Row(
        "a", "thread", {"submit_per_s": 12345.6, "p50_ms": 4.56}, {"workers": 1.234, "zookeeper": 0.001}
    )
    told = dict(zip(HEAD, cells(row), strict=True))
    assert told["submit/s"] == "12,346"
    assert told["bulk/s"] == "–"
    assert told["pick-up p50"] == "4.6 ms"
    assert told["cores while draining"] == "workers 1.23"


def test_the_page_has_the_machine_every_row_and_every_note() -> None:
    rows = [
        Row("a", "process", {"whole_per_s": 7.0}, notes=("own process", "recorded")),
        Row("b", "thread", problem="cannot be installed here"),
    ]
    text = page(rows, Options(tasks=5000), {"cores": "2"})
    assert "- cores: 2" in text
    assert "| a | process | – | – | – | 7 |" in text
    assert "- a (process): own process; recorded." in text
    assert "- b (thread): cannot be installed here." in text
    assert "5,000 no-op tasks" in text
    assert notes(rows) == ["a (process): own process; recorded.", "b (thread): cannot be installed here."]


def test_the_document_has_each_round_of_each_row() -> None:
    (row,) = measure([Scripted("a", [3.0, 1.0], [])], 2, lambda: 500.0, lambda text: None)
    told = document([row], Options(rounds=2), {"cores": "2"})
    assert [each["figures"]["whole_per_s"] for each in told["rows"][0]["rounds"]] == [3.0, 1.0]
    assert told["options"]["rounds"] == 2


def test_what_was_measured_awake_has_a_page_of_its_own_that_says_so() -> None:
    as_it_is, awake = Options(), Options(awake=True)
    assert place(as_it_is) != place(awake)
    assert "do not halt" in page([], awake, {}).splitlines()[0]
    assert "do not halt" not in page([], as_it_is, {}).splitlines()[0]
