"""Reading the settings: environment over secret files over the TOML file; every problem at once.

pydantic-settings turns names into nested values; which texts it is given, and that one wrong file does not hide what
else is wrong, is ours.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr, ValidationError
from pydantic_settings import EnvSettingsSource

from shardkeeper.domain.errors import SettingsInvalid
from shardkeeper.settings.model import Settings

PREFIX = "SHARDKEEPER_"
CONFIG = "SHARDKEEPER_CONFIG"
FILE_SUFFIX = "_FILE"
CREDENTIALS = "CREDENTIALS_DIRECTORY"
CONTEXT = frozenset(
    PREFIX + name
    for name in (
        "JOB_NAME", "RUN_ID", "RUN_NAME", "FIRE_TIME", "ITEM", "SHARDING_TOTAL_COUNT", "ITEM_PARAMETER", "PARAMETERS",
        "SOURCES", "ATTEMPT", "CHECKPOINT",
    )
)  # fmt: skip
"""No settings: a script that a worker runs has its context in these, and may call the command line."""


def load(environment: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """The settings as this environment (default: the process's) has them.

    Later wins: the TOML file that SHARDKEEPER_CONFIG names; systemd credentials (files in CREDENTIALS_DIRECTORY named
    as the variables are, in lower case without the prefix); ``SHARDKEEPER_..._FILE``, the path of a file that holds a
    secret; ``SHARDKEEPER_...``; ``overrides``. An empty text counts as not given. Raises SettingsInvalid with every
    problem found.
    """
    env = dict(os.environ if environment is None else environment)
    problems: list[str] = []
    ours = {name: text for name, text in env.items() if name.startswith(PREFIX)}
    for name in (CONFIG, *CONTEXT):
        ours.pop(name, None)
    values = _toml(env.get(CONFIG), problems)
    _merge(values, _nested(_credentials(env.get(CREDENTIALS), problems), problems))
    _merge(values, _nested(_named_files(ours, problems), problems))
    _merge(values, _nested({n: text for n, text in ours.items() if not n.endswith(FILE_SUFFIX)}, problems))
    _merge(values, overrides)
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        problems += [
            line for one in error.errors(include_url=False, include_input=False) for line in _said(one)
        ]
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
        return str(value) if isinstance(value, Path | IPv4Network | IPv6Network) else value

    found: dict[str, Any] = plain(settings.model_dump())
    found["lease"] = settings.lease_s
    return found


def secrets_of(settings: Settings) -> tuple[str, ...]:
    """Every secret there is, and the password in each URL, to be masked wherever a task or an error lets it out."""
    groups = (settings, settings.zookeeper, settings.slack)
    held = [value for group in groups for value in group.__dict__.values() if isinstance(value, SecretStr)]
    held += settings.tasks.connections.values()
    texts = [one.get_secret_value() for one in held]
    passwords = [password for one in texts if "://" in one for password in _passwords(one)]
    return tuple(dict.fromkeys(text for text in (*texts, *passwords, *map(unquote, passwords)) if text))


def _passwords(url: str) -> list[str]:
    """Before the host, and among the parameters, where libpq takes them too."""
    parts = urlsplit(url)
    named = (one.partition("=") for one in parts.query.split("&"))
    return [parts.password or "", *(value for name, _, value in named if name.endswith("password"))]


def _toml(path: str | None, problems: list[str]) -> dict[str, Any]:
    if not path:
        return {}
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        problems.append(f"{CONFIG}: {path} cannot be read: {error}")
        return {}


def _credentials(folder: str | None, problems: list[str]) -> dict[str, str]:
    """The files of the folder as variables."""
    if not folder:
        return {}
    found: dict[str, str] = {}
    try:
        for file in sorted(Path(folder).iterdir()):
            name = file.name.upper()
            found[name if name.startswith(PREFIX) else PREFIX + name] = _secret(file)
    except (OSError, ValueError) as error:
        problems.append(f"{CREDENTIALS}: {folder} cannot be read: {error}")
    return found


def _named_files(ours: Mapping[str, str], problems: list[str]) -> dict[str, str]:
    """The variables whose values lie in files."""
    found: dict[str, str] = {}
    for name, path in ours.items():
        if name.endswith(FILE_SUFFIX) and path:
            try:
                found[name.removesuffix(FILE_SUFFIX)] = _secret(Path(path))
            except (OSError, ValueError) as error:
                problems.append(f"{name}: {path} cannot be read: {error}")
    return found


def _secret(file: Path) -> str:
    return file.read_text(encoding="utf-8").strip()


class _Texts(EnvSettingsSource):
    """Reads texts by the names of variables, wherever they come from."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        super().__init__(Settings)
        self.env_vars = {name.lower(): text for name, text in texts.items() if text}


def _nested(texts: Mapping[str, str], problems: list[str]) -> dict[str, Any]:
    """Variables as nested values; those that no setting has are problems."""
    known = Settings.model_fields
    for name in sorted(texts):
        first = name.removeprefix(PREFIX).lower().partition("__")[0]
        if first not in known:
            near = difflib.get_close_matches(first, known, 1)
            meant = f"; did you mean {PREFIX}{near[0].upper()}?" if near else ""
            problems.append(f"{name}: there is no such setting{meant}")
    return _Texts(texts)()


def _merge(values: dict[str, Any], over: Mapping[str, Any]) -> None:
    for key, value in over.items():
        if isinstance(value, Mapping) and isinstance(values.get(key), dict):
            _merge(values[key], value)
        else:
            values[key] = dict(value) if isinstance(value, Mapping) else value


def _said(error: Any) -> list[str]:
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return [f"{where}: there is no such setting"]
    lines = error["msg"].removeprefix("Value error, ").splitlines()
    return [f"{where}: {line}" if where else line for line in lines]
