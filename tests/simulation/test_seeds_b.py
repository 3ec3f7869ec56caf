"""Seeds 76 to 150 of the simulated cluster."""

from __future__ import annotations

import pytest

from tests.simulation.seeds import CHUNK, assert_no_promise_breaks


@pytest.mark.parametrize("first", range(76, 151, CHUNK))
def test_no_promise_breaks_whatever_befalls_the_cluster(first: int) -> None:
    assert_no_promise_breaks(first)
