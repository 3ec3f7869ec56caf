from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

CONFIG: Final = Path(__file__).parents[2] / "config"
SECRET_SETTINGS: Final = {("slack", "token"), ("slack", "webhook_url"), ("zookeeper", "auth")}


@pytest.mark.parametrize("profile", ["local", "dev", "stg", "live"])
def test_a_profile_names_its_environment_and_holds_no_secret(profile: str) -> None:
    settings: dict[str, Any] = tomllib.loads((CONFIG / f"{profile}.toml").read_text())
    assert settings["environment"] == profile
    held = {(name, each) for name, table in settings.items() if isinstance(table, dict) for each in table}
    assert not held & SECRET_SETTINGS
    assert urlsplit(settings.get("database_url", "")).password is None
