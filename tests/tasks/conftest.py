"""What a node allows its built-in tasks, in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Unpack

import pytest

from shardkeeper.tasks import node_settings
from shardkeeper.tasks.node_settings import Told


@pytest.fixture
def allow() -> Iterator[Callable[..., None]]:
    """Tell this process settings as its node would; forgotten after the test."""

    def tell(**told: Unpack[Told]) -> None:
        node_settings.tell(told)

    yield tell
    node_settings.tell({})
