"""All settings, their defaults and what is wrong with a value."""

from __future__ import annotations

import json
import os
import re
import socket
import tempfile
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

T = TypeVar("T")

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
SIZE = re.compile(r"\s*(\d+)\s*(|[kKmMgG])i?[bB]?\s*")
UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


def _from_json(value: object) -> object:
    """Lists and objects come from variables as JSON."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is not JSON ({error})") from error


FromJson = Annotated[T, BeforeValidator(_from_json)]


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ZookeeperSettings(_Group):
    """How to reach ZooKeeper beyond its hosts. ``auth`` is scheme:credential, such as digest:user:password."""

    auth: SecretStr | None = None
    tls_ca: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None


class NodeSettings(_Group):
    """What this node is: its share of the work, and labels that jobs may ask for."""

    weight: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    labels: FromJson[dict[str, str]] = Field(default_factory=dict)


class TasksSettings(_Group):
    """What may run here. ``memory_limit`` and ``result_limit`` are bytes, or texts such as ``512M``."""

    allowed_modules: FromJson[tuple[str, ...]] = ()
    script_dirs: FromJson[tuple[Path, ...]] = ()
    memory_limit: Annotated[int, Field(gt=0)] | None = None
    result_limit: Annotated[int, Field(gt=0)] = 1024 * 1024
    connections: FromJson[dict[str, SecretStr]] = Field(default_factory=dict)
    """For the built-in task ``sql``: URLs by name."""
    file_dirs: FromJson[tuple[Path, ...]] = ()
    """For the built-in task ``image-resize``."""
    allowed_networks: FromJson[tuple[IPv4Network | IPv6Network, ...]] = ()
    """For the built-in task ``http-get``: what it reaches although it is not public."""
    restart_intensity: Annotated[int, Field(ge=0, le=10_000)] = 5
    restart_period: Seconds = 10.0

    @field_validator("connections")
    @classmethod
    def _postgresql(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, url in value.items():
            if NAME.fullmatch(name) is None:
                raise ValueError(
                    f"{name!r} must be letters, digits, dots, dashes and underscores, at most 100"
                )
            if not url.get_secret_value().startswith(("postgresql://", "postgres://")):
                raise ValueError(f"the URL of {name} must begin with postgresql://")
        return value

    @field_validator("file_dirs")
    @classmethod
    def _absolute(cls, value: tuple[Path, ...]) -> tuple[Path, ...]:
        for path in value:
            if not path.is_absolute() or ".." in path.parts:
                raise ValueError(f"{path} must be an absolute path")
        return value

    @field_validator("memory_limit", "result_limit", mode="before")
    @classmethod
    def _bytes(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        found = SIZE.fullmatch(value)
        if found is None:
            raise ValueError(f"{value!r} is not a size in bytes; write 1048576, 512M or 2G")
        return int(found[1]) * UNITS[found[2].lower()]


class SlackSettings(_Group):
    """Where alerts go. Without a token or a webhook they stay in the table ``alert``."""

    token: SecretStr | None = None
    channel: str | None = None
    api_url: str = "https://slack.com/api/"
    webhook_url: SecretStr | None = None


class Settings(BaseSettings):
    """Everything that is set from outside. Unknown settings are refused; durations are seconds."""

    model_config = SettingsConfigDict(
        env_prefix="SHARDKEEPER_",
        env_nested_delimiter="__",
        # JSON is read by the fields themselves, so that what is wrong with it is told with all that is wrong
        enable_decoding=False,
        extra="forbid",
        frozen=True,
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is given and nothing else: ``sources.load`` reads the environment, once."""
        return (init_settings,)

    database_url: SecretStr = SecretStr("postgresql://localhost/shardkeeper")
    zookeeper_hosts: str = "localhost:2181"
    zookeeper: ZookeeperSettings = ZookeeperSettings()
    namespace: str = "shardkeeper"
    node_id: str = Field(default_factory=socket.gethostname)
    node: NodeSettings = NodeSettings()
    session_timeout: Seconds = 6.0
    lease: Seconds | None = None
    on_time_window: Seconds = 30.0
    statement_timeout: Seconds = 10.0
    unrunnable_after: Seconds = 60.0
    workers: Annotated[int, Field(ge=1, le=10_000)] = Field(default_factory=lambda: 2 * (os.cpu_count() or 1))
    workers_min: Annotated[int, Field(ge=0, le=10_000)] = 0
    workers_idle: Seconds = 60.0
    queue_size: Annotated[int, Field(ge=0, le=100_000)] = 512
    """The most attempts claimed ahead of free workers."""
    busy_at: Annotated[int, Field(ge=1, le=100)] = 90
    """Percent of the workers from which on a node calls itself busy."""
    environment: str = "local"
    grace_period: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 30.0
    state_dir: Path = Field(
        default_factory=lambda: Path(tempfile.gettempdir()) / f"shardkeeper-{os.getuid()}"
    )
    tasks: TasksSettings = TasksSettings()
    slack: SlackSettings = SlackSettings()
    heartbeat_url: SecretStr | None = None
    retention: Seconds = 30 * 86_400.0
    log_format: Literal["text", "json"] = "text"

    @property
    def lease_s(self) -> float:
        """The lease: two thirds of the session timeout where it is not set."""
        return self.lease if self.lease is not None else self.session_timeout * 2 / 3

    @field_validator("heartbeat_url")
    @classmethod
    def _http_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(("http://", "https://")):
            raise ValueError("it must be an http or https URL")
        return value

    @field_validator("node_id", "namespace")
    @classmethod
    def _name(cls, value: str) -> str:
        if NAME.fullmatch(value) is None:
            raise ValueError(f"{value!r} must be letters, digits, dots, dashes and underscores, at most 100")
        return value

    @model_validator(mode="after")
    def _agree(self) -> Settings:
        wrong = []
        if self.on_time_window <= self.session_timeout:
            wrong.append(
                f"on_time_window ({self.on_time_window:g} s) must be longer than session_timeout "
                f"({self.session_timeout:g} s), or the fires of a node that dies are left to the sweep"
            )
        if self.lease is not None and self.lease > self.session_timeout:
            wrong.append(
                f"lease ({self.lease:g} s) must not be longer than session_timeout ({self.session_timeout:g} s)"
            )
        if self.workers_min > self.workers:
            wrong.append(f"workers_min ({self.workers_min}) must not be larger than workers ({self.workers})")
        if wrong:
            raise ValueError("\n".join(wrong))
        return self
