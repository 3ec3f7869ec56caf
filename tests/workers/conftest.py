from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from shardkeeper.workers.pool import ProcessWorkers
from shardkeeper.workers.supervisor import Broken

from .hall import Hall, settings


@pytest.fixture
def open_hall(tmp_path: Path) -> Iterator[Callable[..., Hall]]:
    """Start workers with changed settings."""
    halls: list[Hall] = []

    def start(broken: Broken = lambda part, error: None, **changes: Any) -> Hall:
        halls.append(Hall(ProcessWorkers(settings(**changes), broken), tmp_path))
        return halls[-1]

    yield start
    for hall in halls:
        hall.workers.close(0)


@pytest.fixture(scope="module")
def common_hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    hall = Hall(ProcessWorkers(settings()), tmp_path_factory.mktemp("hall"))
    yield hall
    hall.workers.close(0)


@pytest.fixture
def hall(common_hall: Hall, tmp_path: Path) -> Hall:
    """Workers that the tests of a module share: whatever one does to them, the next must find them well."""
    common_hall.folder = tmp_path
    common_hall.events.clear()
    return common_hall
