"""Reading the settings: environment over secret files over the TOML file; every problem at once."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError

from shardkeeper.domain.errors import SettingsInvalid
from shardkeeper.settings.model import Settings

PREFIX = "SHARDKEEPER_"
CONFIG = "SHARDKEEPER_CONFIG"
FILE_SUFFIX = "_FILE"
INTERNAL = frozenset({CONFIG, "SHARDKEEPER_JOURNAL"})
"""Variables with our prefix that are not settings."""


def load(environment: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """The settings as this environment has them.

    Later wins: the TOML file that SHARDKEEPER_CONFIG names; systemd credentials (files in CREDENTIALS_DIRECTORY named
    as the variables are, in lower case without the prefix); ``SHARDKEEPER_..._FILE``, the path of a file that holds a
    secret;
    ``SHARDKEEPER_...``; ``overrides``. Raises SettingsInvalid with every problem found.
    """
    env = dict(os.environ if environment is None else environment)
    problems: list[str] = []
    values: dict[str, Any] = {}
    _merge(values, _toml(env.get(CONFIG), problems))
    _merge(values, _credentials(env.get("CREDENTIALS_DIRECTORY"), problems))
    _merge(values, _variables(env, problems))
    _merge(values, overrides)
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        problems += [_said(one) for one in error.errors(include_url=False)]
    if problems:
        raise SettingsInvalid(problems)
    return settings


def shown(settings: Settings) -> dict[str, Any]:
    """The settings for people: secrets masked."""

    def plain(value: Any) -> Any:
        if isinstance(value, SecretStr):
            return "**********"
        if isinstance(value, dict):
            return {key: plain(one) for key, one in value.items()}
        if isinstance(value, tuple):
            return [plain(one) for one in value]
        return str(value) if isinstance(value, Path) else value

    found: dict[str, Any] = plain(settings.model_dump())
    found["lease"] = settings.lease_s
    return found


def secrets_of(settings: Settings) -> tuple[str, ...]:
    """Every secret there is, to be masked wherever a task or an error lets it out."""
    groups = (settings, settings.zookeeper, settings.slack)
    held = (value for group in groups for value in group.__dict__.values() if isinstance(value, SecretStr))
    return tuple(one.get_secret_value() for one in held if one.get_secret_value())


def _toml(path: str | None, problems: list[str]) -> dict[str, Any]:
    if not path:
        return {}
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        problems.append(f"{CONFIG}: {path} cannot be read: {error}")
        return {}


def _credentials(folder: str | None, problems: list[str]) -> dict[str, Any]:
    if not folder:
        return {}
    found: dict[str, Any] = {}
    try:
        for file in sorted(Path(folder).iterdir()):
            _put(
                found,
                file.name.lower().removeprefix(PREFIX.lower()),
                file.read_text(encoding="utf-8").strip(),
            )
    except (OSError, ValueError) as error:
        problems.append(f"CREDENTIALS_DIRECTORY: {folder} cannot be read: {error}")
    return found


def _variables(env: Mapping[str, str], problems: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    ours = {name: text for name, text in env.items() if name.startswith(PREFIX) and name not in INTERNAL}
    for name, text in sorted(ours.items(), key=lambda one: not one[0].endswith(FILE_SUFFIX)):
        setting = name.removeprefix(PREFIX).lower()
        if name.endswith(FILE_SUFFIX):
            setting = setting.removesuffix(FILE_SUFFIX.lower())
            try:
                _put(found, setting, Path(text).read_text(encoding="utf-8").strip())
            except (OSError, ValueError) as error:
                problems.append(f"{name}: {text} cannot be read: {error}")
        else:
            _put(found, setting, text)
    return found


def _put(values: dict[str, Any], setting: str, text: str) -> None:
    """``tasks__allowed_modules`` and its text become nested values; JSON where the text is a list or an object."""
    *groups, last = setting.split("__")
    for group in groups:
        values = values.setdefault(group, {})
    values[last] = _value(text)


def _value(text: str) -> Any:
    """JSON where it is an array or an object; else the text, which the model reads."""
    if text[:1] not in ("[", "{"):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _merge(values: dict[str, Any], over: Mapping[str, Any]) -> None:
    for key, value in over.items():
        if isinstance(value, Mapping) and isinstance(values.get(key), dict):
            _merge(values[key], value)
        else:
            values[key] = dict(value) if isinstance(value, Mapping) else value


def _said(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"]) or "settings"
    if error["type"] == "extra_forbidden":
        return f"{where}: there is no such setting"
    return f"{where}: {error['msg'].removeprefix('Value error, ')}"
