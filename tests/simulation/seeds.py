"""Seeds for the test files beside this one: several files, so that they run on several cores."""

from __future__ import annotations

from shardkeeper.simulation.runner import report

CHUNK = 15


def assert_no_promise_breaks(first: int) -> None:
    """Live through a chunk of seeds; a failure shows the seed, the promise and the trace."""
    broken = [told.text for told in map(report, range(first, first + CHUNK)) if told.text]
    assert not broken, "\n\n".join(broken)
