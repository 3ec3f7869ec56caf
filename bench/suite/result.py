"""What the rounds of a scenario have come to: medians, and whether the budget is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.figures import medians
from bench.suite.scenario import Figure, Round, Scenario


@dataclass(frozen=True, slots=True)
class Result:
    """Of one run of a scenario on one machine."""

    scenario: Scenario
    rounds: Sequence[Round]
    machine: Mapping[str, str]

    @property
    def medians(self) -> dict[str, float]:
        """By name of figure."""
        return medians(one.figures for one in self.rounds)

    @property
    def cores(self) -> dict[str, float]:
        """Processors in use by kind of process: the median of the rounds."""
        return medians(one.cores for one in self.rounds)

    def missed(self) -> list[Figure]:
        """The lines of the budget that the medians do not keep, or that some round could not measure."""
        return [figure for figure in self.scenario.figures if figure.is_budget and not self._keeps(figure)]

    def _keeps(self, figure: Figure) -> bool:
        measured = [one.figures[figure.name] for one in self.rounds if figure.name in one.figures]
        return 0 < len(measured) == len(self.rounds) and figure.is_kept(self.medians[figure.name])

    def document(self) -> dict[str, Any]:
        """For programs, and for the page: the samples are those of the last round."""
        return {
            "scenario": self.scenario.name,
            "title": self.scenario.title,
            "how": self.scenario.how,
            "machine": dict(self.machine),
            "figures": [asdict(figure) for figure in self.scenario.figures],
            "rounds": [dict(one.figures) for one in self.rounds],
            "medians": self.medians,
            "cores": self.cores,
            "missed": [figure.name for figure in self.missed()],
            "notes": list(dict.fromkeys(note for one in self.rounds for note in one.notes)),
            "samples": {
                name: list(found) for name, found in (self.rounds[-1].samples if self.rounds else {}).items()
            },
        }
