"""A small one of `make faults`: real faults on three real nodes, an ensemble and a PostgreSQL of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.faults.options import Options
from bench.faults.verdict import verdict
from shardkeeper.devservers import PostgresInstallation, ZooKeeperInstallation
from tests.servers.available import found_or_skip

OPTIONS = Options(
    nodes=3,
    workers=3,
    jobs=60,
    submissions_per_s=10.0,
    nemeses=(
        "node killed",
        "workers killed",
        "poison submitted",
        "clock an hour ahead",
        "ensemble's leader killed",
        "session expired",
        "PostgreSQL restarted",
        "tables locked",
        "link to PostgreSQL half open",
    ),
    scale=0.3,
    calm_s=1.0,
    session_timeout_s=4.0,
    on_time_window_s=6.0,
    statement_timeout_s=2.0,
    patience_s=45.0,
)


@pytest.mark.zookeeper
@pytest.mark.postgres
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_under_real_faults_every_promise_holds(server_folder: Path) -> None:
    found_or_skip(ZooKeeperInstallation.find)
    found_or_skip(PostgresInstallation.embedded)
    said: list[str] = []
    found = verdict(OPTIONS, server_folder, said.append)
    told = "\n".join([*said, *map(str, found.violations)])
    assert not found.violations, told
    # it was bad weather, and work was done in it
    struck = {band.kind for band in found.told.bands}
    assert struck == set(OPTIONS.nemeses) - set(found.told.left_out), told
    assert len(found.history.executions) >= 200, told
