"""The built-in task ``sleep``."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from shardkeeper.tasks.parameters import WrongParameters
from shardkeeper.tasks.sleep import Sleep
from shardkeeper.testing import run_task


def test_it_sleeps_and_tells_how_far_it_is() -> None:
    run = run_task(Sleep, parameters={"seconds": 0.25})
    assert run.result["slept_s"] >= 0.25
    fractions = [fraction or 0.0 for fraction, _ in run.progress]
    assert fractions[0] == 0.0
    assert len(fractions) >= 3
    assert all(earlier < later for earlier, later in pairwise(fractions))


def test_no_time_at_all_is_a_time() -> None:
    assert run_task(Sleep, parameters={"seconds": 0}).result == {"slept_s": 0.0}


def test_it_ends_as_soon_as_it_is_asked_to() -> None:
    assert run_task(Sleep, parameters={"seconds": 3600}, cancelled=True).result == {"slept_s": 0.0}


@pytest.mark.parametrize("seconds", [None, -1, "10", True, 1e10])
def test_what_is_no_time_is_refused(seconds: Any) -> None:
    with pytest.raises(WrongParameters, match="seconds is"):
        run_task(Sleep, parameters={"seconds": seconds})
