"""The next release, as far as the schema goes: revisions behind the newest one, which are never shipped.

`patch` is of the same minor version and does whatever a revision may do; `minor`, behind it, is of another.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Literal

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from shardkeeper.postgres import migrations

Part = Literal["patch", "minor"]
FOLDER: Final = Path(__file__).parent
SHIPPED: Final = Path(migrations.__file__).with_name("alembic")
PATCH: Final = "next_6"
MINOR: Final = "next_7"


def shipped_head() -> str:
    """The newest revision of this release."""
    config = Config()
    config.set_main_option("script_location", str(SHIPPED).replace("%", "%%"))
    found = ScriptDirectory.from_config(config).get_current_head()
    assert found is not None
    return found


def release(monkeypatch: pytest.MonkeyPatch, *parts: Part) -> None:
    """From now on this process is of the release that has these revisions too."""
    places = [SHIPPED / "versions", *(FOLDER / part for part in parts)]

    def config() -> Config:
        made = Config()
        for name, value in (
            ("script_location", str(SHIPPED)),
            ("version_locations", os.pathsep.join(map(str, places))),
            ("path_separator", "os"),
        ):
            made.set_main_option(name, value.replace("%", "%%"))
        return made

    monkeypatch.setattr(migrations, "_config", config)
    if "minor" in parts:
        monkeypatch.setattr(migrations, "SCHEMA_MINOR", "9.9")
