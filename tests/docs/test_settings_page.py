"""docs/reference/settings.md says what the settings are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from shardkeeper.domain.errors import SettingsInvalid
from shardkeeper.settings.model import Settings
from shardkeeper.settings.sources import load
from tests.docs.pages import ROOT, code, page, plain, table

PAGE = page("settings.md")
ROWS = {plain(row[0]): row for row in table(PAGE)}
MADE = {
    "node_id": "host name",
    "node.labels": "`{}`",
    "tasks.connections": "`{}`",
    "workers": "cores × 2",
    "state_dir": "`shardkeeper-UID` in the folder for temporary files",
    "lease": "two thirds of `session_timeout`",
}
"""Defaults that are made when the daemon starts."""


def fields(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from fields(field.annotation, f"{prefix}{name}.")
        else:
            yield prefix + name, field


FIELDS = dict(fields(Settings))


def shown(name: str, default: Any) -> str:
    """The default as the page has it."""
    if name in MADE:
        return MADE[name]
    if default is None:
        return "none"
    if isinstance(default, SecretStr):
        return f"`{default.get_secret_value()}`"
    return f"`{default if isinstance(default, str) else json.dumps(default)}`"


def test_every_setting_stands_on_the_page_and_no_other() -> None:
    assert list(ROWS) == list(FIELDS)


@pytest.mark.parametrize("name", FIELDS)
def test_a_settings_variable_and_default_are_the_models(name: str) -> None:
    _, variable, default, unit, meaning = ROWS[name]
    assert plain(variable) == "SHARDKEEPER_" + name.upper().replace(".", "__")
    assert default == shown(name, FIELDS[name].default)
    assert ("**Secret.**" in meaning) == ("SecretStr" in repr(FIELDS[name].annotation))
    seconds = name in ("retention", "lease", "grace_period", "on_time_window") or "timeout" in name
    others = ("unrunnable_after", "workers_idle", "tasks.restart_period")
    assert (unit == "s") == (seconds or name in others)


def test_defaults_that_are_made_are_no_others() -> None:
    made = {name for name, field in FIELDS.items() if field.default_factory is not None}
    assert made | {"lease"} == set(MADE)
    assert load({}).lease_s == pytest.approx(load({}).session_timeout * 2 / 3)


def test_later_sources_win_as_the_page_orders_them(tmp_path: Path) -> None:
    order = re.findall(r"^\d\. (.*)$", PAGE, re.MULTILINE)
    assert ["TOML" in order[0], "credentials" in order[1], "_FILE" in order[2], "variable itself" in order[3]]
    (tmp_path / "settings.toml").write_text('environment = "toml"')
    environment = {"SHARDKEEPER_CONFIG": str(tmp_path / "settings.toml")}
    assert load(environment).environment == "toml"
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "environment").write_text("credential")
    environment["CREDENTIALS_DIRECTORY"] = str(tmp_path / "credentials")
    assert load(environment).environment == "credential"
    (tmp_path / "secret").write_text("file")
    environment["SHARDKEEPER_ENVIRONMENT_FILE"] = str(tmp_path / "secret")
    assert load(environment).environment == "file"
    environment["SHARDKEEPER_ENVIRONMENT"] = "variable"
    assert load(environment).environment == "variable"


def test_the_example_is_a_settings_file(tmp_path: Path) -> None:
    (example,) = code(PAGE, "toml")
    (tmp_path / "settings.toml").write_text(example)
    found = load({"SHARDKEEPER_CONFIG": str(tmp_path / "settings.toml")})
    assert found.tasks.allowed_modules == ("acme.jobs",)


def test_wrong_settings_are_told_as_in_the_example() -> None:
    (example,) = code(PAGE, "console")
    command, *lines = example.splitlines()
    environment = dict(re.findall(r"(SHARDKEEPER_\w+)=(\S+)", command))
    with pytest.raises(SettingsInvalid) as told:
        load(environment)
    assert [f"shardkeeper: {problem}" for problem in told.value.problems] == lines[:-2]


def test_the_profiles_named_exist() -> None:
    named = set(re.findall(r"config/(\w+)\.toml", PAGE))
    assert named == {path.stem for path in (ROOT / "config").glob("*.toml")}
