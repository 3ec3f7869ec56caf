from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of the files in the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-index"]
    subprocess.run(
        [*pip, "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)],
        check=True,
        timeout=100,
    )
    (made,) = folder.glob("shardkeeper-*.whl")
    with zipfile.ZipFile(made) as content:
        return set(content.namelist())


def test_the_wheel_ships_the_sql_inside_the_package(wheel: set[str]) -> None:
    sql = {path.relative_to(ROOT / "sql").as_posix() for path in (ROOT / "sql").rglob("*.sql")}
    assert sql
    assert {f"shardkeeper/postgres/sql/{name}" for name in sql} <= wheel


def test_the_wheel_is_typed_and_holds_nothing_but_the_package(wheel: set[str]) -> None:
    assert "shardkeeper/py.typed" in wheel
    assert {name.split("/")[0] for name in wheel} == {"shardkeeper", "shardkeeper-0.1.0.dist-info"}


def test_the_wheel_holds_every_module(wheel: set[str]) -> None:
    modules = {path.relative_to(ROOT / "src").as_posix() for path in (ROOT / "src").rglob("*.py")}
    assert modules <= wheel
