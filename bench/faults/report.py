"""What a run of faults came to, as lines for the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from bench.faults.figures import Figures, Spread
from bench.faults.violation import Violation
from bench.tables import text_table

MOST_NAMED = 50
LATENESS_HEAD = ("while", "items that began", "p50", "p99", "worst")


def lines(measured: Figures, violations: Sequence[Violation]) -> Iterator[str]:
    """For the terminal: figures first, then what does not hold."""
    yield text_table(LATENESS_HEAD, [lateness_row(*row) for row in measured.lateness.items()])
    yield from summary(measured)
    yield verdict(violations)
    yield from (f"  {violation}" for violation in violations[:MOST_NAMED])
    if len(violations) > MOST_NAMED:
        yield f"  and {len(violations) - MOST_NAMED} more"


def verdict(violations: Sequence[Violation]) -> str:
    """In one line."""
    if not violations:
        return "every promise held"
    promises = Counter(violation.promise for violation in violations)
    return f"{len(violations)} VIOLATIONS: " + ", ".join(
        f"{count} {name}" for name, count in promises.items()
    )


def summary(measured: Figures) -> Iterator[str]:
    """The figures, a line for each."""
    fires, taken, sent = measured.accounts, measured.takeovers, measured.delivery
    yield (
        f"{fires.due:,} fires due: {fires.ran:,} ran on time, {fires.made_up:,} were made up for, {fires.skipped:,} "
        f"SKIPPED and {fires.missed:,} MISSED by policy, {fires.lost:,} lost"
    )
    rows = ", ".join(f"{count:,} {status}" for status, count in sorted(measured.attempts.items()))
    yield f"{sum(measured.attempts.values()):,} attempts: {rows}; {measured.duplicates:,} recorded twice"
    yield f"{measured.promised:,} submissions answered, {measured.kept:,} of their runs ended"
    if taken.deaths:
        yield (
            f"{taken.deaths} nodes killed with {taken.attempts} attempts, running elsewhere "
            f"{in_words(taken.median_s)} later (median), {in_words(taken.worst_s)} at most; {taken.never} never again"
        )
    for excuse, told in measured.overlapping.items():
        if told.count or excuse != "neither":
            longest = f", {in_words(told.longest_s)} at most" if told.count else ""
            yield f"{told.count} overlaps with incarnations {_words(excuse)}{longest}"
    for again in measured.recoveries:
        yield (
            f"PostgreSQL away for {in_words(again.away_s)}: the first task began {in_words(again.first_begin_s)} "
            f"after its return, all {again.fires:,} fires of its absence were accounted for after "
            f"{in_words(again.accounted_s)}"
        )
    yield (
        f"{sent.alerts:,} alerts, {sent.delivered:,} delivered in {sent.messages:,} messages, "
        f"{in_words(sent.longest_s)} after the event at most"
    )


def _words(excuse: str) -> str:
    return {"paused": "that were paused", "cut off": "that were cut off from PostgreSQL"}.get(
        excuse, "that were neither"
    )


def lateness_row(name: str, told: Spread) -> tuple[str, ...]:
    """As many cells as LATENESS_HEAD has."""
    return (name, f"{told.count:,}", in_words(told.p50), in_words(told.p99), in_words(told.worst))


def in_words(seconds: float | None) -> str:
    """With its unit; a dash for what there is none of."""
    if seconds is None:
        return "–"
    return f"{seconds * 1000:.0f} ms" if abs(seconds) < 1.0 else f"{seconds:.1f} s"
