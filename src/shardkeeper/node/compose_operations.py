"""What the faces are made of: settings, the schema, the operations. With ``compose``, the only place that names adapters."""

from __future__ import annotations

from typing import Any

from shardkeeper.postgres.migrations import Migrations
from shardkeeper.settings import sources
from shardkeeper.settings.model import Settings
from shardkeeper.system import log


def read_settings(**overrides: Any) -> Settings:
    """The settings of this process's environment. Raises SettingsInvalid with all problems."""
    return sources.load(**overrides)


def configure_log(settings: Settings) -> None:
    """Write the log to standard error as the settings say."""
    log.configure(settings.log_format)


def check_schema(settings: Settings) -> str:
    """The schema's revision, if this version can work with it. Raises SchemaMismatch and StoreUnavailable."""
    return _migrations(settings).check()


def current_schema(settings: Settings) -> str | None:
    """The schema's revision; None without one. Raises StoreUnavailable."""
    return _migrations(settings).current()


def upgrade_schema(settings: Settings) -> str:
    """Bring the schema up to this version. Raises Refused and StoreUnavailable."""
    return _migrations(settings).upgrade()


def _migrations(settings: Settings) -> Migrations:
    return Migrations(settings.database_url.get_secret_value())
