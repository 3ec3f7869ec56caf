"""A server that is missing: a skipped test at home, a failed one in CI."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

import pytest

from shardkeeper.devservers import ServerUnavailable

T = TypeVar("T")


def found_or_skip(find: Callable[[], T]) -> T:
    """What `find` returns; skips (fails when CI=true) with its reason when it raises `ServerUnavailable`."""
    try:
        return find()
    except ServerUnavailable as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))
