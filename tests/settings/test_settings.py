"""Settings: every one of the contract, from each place they come from, and every problem at once."""

from __future__ import annotations

import json
import os
import socket
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from shardkeeper.domain.errors import SettingsInvalid
from shardkeeper.settings.sources import load, secrets_of, shown


def loaded(**variables: str) -> dict[str, Any]:
    """What the settings come to, secrets in clear."""
    settings = load({f"SHARDKEEPER_{name}": text for name, text in variables.items()})
    return settings.model_dump()


def problems(environment: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsInvalid) as caught:
        load(environment)
    return list(caught.value.problems)


def at(values: dict[str, Any], name: str) -> Any:
    for part in name.lower().split("__"):
        values = values[part]
    return values.get_secret_value() if hasattr(values, "get_secret_value") else values


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("DATABASE_URL", "postgresql://a:b@c/d", "postgresql://a:b@c/d"),
        ("ZOOKEEPER_HOSTS", "zk1:2181,zk2:2181", "zk1:2181,zk2:2181"),
        ("ZOOKEEPER__AUTH", "digest:a:b", "digest:a:b"),
        ("ZOOKEEPER__TLS_CA", "/ca.pem", Path("/ca.pem")),
        ("ZOOKEEPER__TLS_CERT", "/cert.pem", Path("/cert.pem")),
        ("ZOOKEEPER__TLS_KEY", "/key.pem", Path("/key.pem")),
        ("NAMESPACE", "blue", "blue"),
        ("NODE_ID", "node-1", "node-1"),
        ("NODE__WEIGHT", "2.5", 2.5),
        ("NODE__LABELS", '{"zone": "a"}', {"zone": "a"}),
        ("SESSION_TIMEOUT", "4", 4.0),
        ("LEASE", "3", 3.0),
        ("ON_TIME_WINDOW", "60", 60.0),
        ("WORKERS", "7", 7),
        ("WORKERS_MIN", "1", 1),
        ("QUEUE_SIZE", "100", 100),
        ("BUSY_AT", "80", 80),
        ("ENVIRONMENT", "live", "live"),
        ("GRACE_PERIOD", "0", 0.0),
        ("STATE_DIR", "/state", Path("/state")),
        ("TASKS__ALLOWED_MODULES", '["acme.jobs", "tools"]', ("acme.jobs", "tools")),
        ("TASKS__SCRIPT_DIRS", '["/opt/scripts"]', (Path("/opt/scripts"),)),
        ("TASKS__MEMORY_LIMIT", "512M", 512 * 1024**2),
        ("TASKS__RESULT_LIMIT", "1000", 1000),
        ("TASKS__FILE_DIRS", '["/srv/images"]', (Path("/srv/images"),)),
        (
            "TASKS__ALLOWED_NETWORKS",
            '["10.0.0.0/8", "fd12::/16"]',
            (ip_network("10.0.0.0/8"), ip_network("fd12::/16")),
        ),
        ("SLACK__TOKEN", "xoxb-1", "xoxb-1"),
        ("SLACK__CHANNEL", "#jobs", "#jobs"),
        ("SLACK__API_URL", "http://127.0.0.1:1/api/", "http://127.0.0.1:1/api/"),
        ("SLACK__WEBHOOK_URL", "https://hooks/x", "https://hooks/x"),
        ("HEARTBEAT_URL", "https://beat/x", "https://beat/x"),
        ("RETENTION", "86400", 86400.0),
        ("LOG_FORMAT", "json", "json"),
    ],
)
def test_every_setting_of_the_contract_can_be_a_variable(name: str, text: str, value: object) -> None:
    assert at(loaded(**{name: text}), name) == value


def test_the_defaults_are_those_of_the_contract() -> None:
    settings = load({})
    assert (settings.namespace, settings.node_id, settings.session_timeout) == (
        "shardkeeper",
        socket.gethostname(),
        6,
    )
    assert (settings.lease_s, settings.on_time_window, settings.grace_period) == (4, 30, 30)
    assert (settings.workers, settings.environment, settings.retention) == (
        2 * (os.cpu_count() or 1),
        "local",
        2592000,
    )
    assert (settings.tasks.allowed_modules, settings.log_format, settings.slack.token) == ((), "text", None)


def test_the_lease_is_two_thirds_of_the_session_timeout_unless_it_is_set() -> None:
    assert load({"SHARDKEEPER_SESSION_TIMEOUT": "9"}).lease_s == 6
    assert load({"SHARDKEEPER_SESSION_TIMEOUT": "9", "SHARDKEEPER_LEASE": "5"}).lease_s == 5


def test_variables_win_over_files_of_secrets_over_credentials_over_the_toml_file(tmp_path: Path) -> None:
    toml = tmp_path / "node.toml"
    toml.write_text(
        'environment = "toml"\nnamespace = "toml"\nnode_id = "toml"\nlog_format = "json"\n[slack]\nchannel = "#toml"\n'
    )
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    for name in ("namespace", "node_id", "environment"):
        (credentials / name).write_text("credential\n")
    (credentials / "slack__token").write_text("xoxb-credential\n")
    secret = tmp_path / "secret"
    secret.write_text("file\n")
    settings = load(
        {
            "SHARDKEEPER_CONFIG": str(toml),
            "CREDENTIALS_DIRECTORY": str(credentials),
            "SHARDKEEPER_NODE_ID_FILE": str(secret),
            "SHARDKEEPER_ENVIRONMENT_FILE": str(secret),
            "SHARDKEEPER_ENVIRONMENT": "variable",
        }
    )
    assert settings.environment == "variable"
    assert settings.node_id == "file"
    assert settings.namespace == "credential"
    assert settings.log_format == "json"
    assert (settings.slack.channel, settings.slack.token and settings.slack.token.get_secret_value()) == (
        "#toml",
        "xoxb-credential",
    )


def test_overrides_win_over_everything() -> None:
    assert load({"SHARDKEEPER_NODE_ID": "variable"}, node_id="override").node_id == "override"


def test_an_empty_variable_counts_as_not_given() -> None:
    assert load({"SHARDKEEPER_SLACK__TOKEN": "", "SHARDKEEPER_WORKERS": ""}).slack.token is None


def test_a_script_that_a_worker_runs_may_call_the_command_line() -> None:
    context = {"SHARDKEEPER_ITEM": "0", "SHARDKEEPER_PARAMETERS": "{}", "SHARDKEEPER_RUN_NAME": "a@b"}
    assert load({**context, "SHARDKEEPER_NODE_ID": "n1"}).node_id == "n1"


def test_the_environment_that_is_given_is_the_only_one_that_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARDKEEPER_ENVIRONMENT", "other")
    assert load({}).environment == "local"
    assert load().environment == "other"


def test_all_problems_are_told_at_once_each_with_its_setting(tmp_path: Path) -> None:
    toml = tmp_path / "bad.toml"
    toml.write_text("[broken\n")
    found = problems(
        {
            "SHARDKEEPER_CONFIG": str(toml),
            "CREDENTIALS_DIRECTORY": str(tmp_path / "nowhere"),
            "SHARDKEEPER_SLACK__TOKEN_FILE": str(tmp_path / "nothing"),
            "SHARDKEEPER_WORKRS": "3",
            "SHARDKEEPER_TASKS__ALLOWED_MODULES": "[acme",
            "SHARDKEEPER_TASKS__ALOWED": "1",
            "SHARDKEEPER_TASKS__MEMORY_LIMIT": "lots",
            "SHARDKEEPER_SESSION_TIMEOUT": "-1",
            "SHARDKEEPER_ON_TIME_WINDOW": "nan",
            "SHARDKEEPER_NODE__WEIGHT": "inf",
            "SHARDKEEPER_WORKERS": "many",
            "SHARDKEEPER_NODE_ID": "a/b",
            "SHARDKEEPER_LOG_FORMAT": "xml",
        }
    )
    said = "\n".join(found)
    for part in (
        str(toml),
        str(tmp_path / "nowhere"),
        str(tmp_path / "nothing"),
        "did you mean SHARDKEEPER_WORKERS",
        "tasks.allowed_modules: is not JSON",
        "tasks.alowed: there is no such setting",
        "tasks.memory_limit: 'lots'",
        "session_timeout:",
        "on_time_window:",
        "node.weight:",
        "workers:",
        "node_id: 'a/b'",
        "log_format:",
    ):
        assert part in said, part
    assert len(found) == 13


def test_settings_that_do_not_agree_are_told_together() -> None:
    found = problems(
        {
            "SHARDKEEPER_SESSION_TIMEOUT": "40",
            "SHARDKEEPER_LEASE": "50",
            "SHARDKEEPER_WORKERS": "1",
            "SHARDKEEPER_WORKERS_MIN": "2",
        }
    )
    assert [one.split(" ")[0] for one in found] == ["on_time_window", "lease", "workers_min"]


def test_unknown_names_in_the_toml_file_and_among_credentials_are_refused(tmp_path: Path) -> None:
    toml = tmp_path / "node.toml"
    toml.write_text('colour = "red"\n[slack]\nchanel = "#x"\n')
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "slak__token").write_text("x")
    found = problems(
        {"SHARDKEEPER_CONFIG": str(toml), "CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")}
    )
    assert sorted(one.split(":")[0] for one in found) == ["SHARDKEEPER_SLAK__TOKEN", "colour", "slack.chanel"]


def test_no_secret_is_shown_nor_told_in_a_problem() -> None:
    settings = load(
        {
            "SHARDKEEPER_DATABASE_URL": "postgresql://ann:geheim1@db/x",
            "SHARDKEEPER_SLACK__TOKEN": "geheim2",
            "SHARDKEEPER_ZOOKEEPER__AUTH": "digest:ann:geheim3",
            "SHARDKEEPER_HEARTBEAT_URL": "https://beat/geheim4",
            "SHARDKEEPER_TASKS__CONNECTIONS": '{"warehouse": "postgresql://ann:geheim5@db/x"}',
        }
    )
    assert "geheim" not in f"{shown(settings)}{settings!r}"
    assert shown(settings)["slack"]["token"] == "**********"
    assert not any(
        "geheim" in one
        for one in problems({"SHARDKEEPER_SLACK": '{"token": "geheim"', "SHARDKEEPER_LEASE": "x"})
    )


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("CONNECTIONS", '{"a b": "postgresql://geheim"}', "'a b' must be letters"),
        ("CONNECTIONS", '{"a": "geheim"}', "the URL of a must begin with postgresql://"),
        ("CONNECTIONS", '{"a": "geheim', "is not JSON"),
        ("CONNECTIONS", '["geheim"]', "valid dictionary"),
        ("FILE_DIRS", '["images"]', "images must be an absolute path"),
        ("FILE_DIRS", '["/srv/../etc"]', "must be an absolute path"),
        ("ALLOWED_NETWORKS", '["10.0.0.1/8"]', "tasks.allowed_networks"),
        ("ALLOWED_NETWORKS", '["localhost"]', "tasks.allowed_networks"),
    ],
)
def test_what_the_built_in_tasks_are_not_to_be_allowed_is_told(name: str, text: str, reason: str) -> None:
    found = problems({f"SHARDKEEPER_TASKS__{name}": text})
    assert found
    assert any(reason in one for one in found)
    assert "geheim" not in str(found)


def test_connections_have_names_and_secret_urls() -> None:
    whole = load({"SHARDKEEPER_TASKS__CONNECTIONS": '{"warehouse": "postgresql://ann@db/x?password=geheim"}'})
    assert whole.tasks.connections["warehouse"].get_secret_value() == "postgresql://ann@db/x?password=geheim"
    assert shown(whole)["tasks"]["connections"] == {"warehouse": "**********"}
    assert set(secrets_of(whole)) >= {"postgresql://ann@db/x?password=geheim", "geheim"}
    single = load({"SHARDKEEPER_TASKS__CONNECTIONS__WAREHOUSE": "postgresql://db/x"})
    assert single.tasks.connections["warehouse"].get_secret_value() == "postgresql://db/x"


def test_what_is_shown_is_json() -> None:
    settings = load({"SHARDKEEPER_TASKS__ALLOWED_NETWORKS": '["10.0.0.0/8"]'})
    assert json.loads(json.dumps(shown(settings)))["tasks"]["allowed_networks"] == ["10.0.0.0/8"]


def test_what_is_to_be_masked_has_each_secret_and_the_password_in_each_url() -> None:
    settings = load(
        {"SHARDKEEPER_DATABASE_URL": "postgresql://ann:ge%20heim@db/x", "SHARDKEEPER_SLACK__TOKEN": "xoxb"}
    )
    assert set(secrets_of(settings)) == {"postgresql://ann:ge%20heim@db/x", "ge%20heim", "ge heim", "xoxb"}


@pytest.mark.parametrize("profile", sorted(Path("config").glob("*.toml")), ids=lambda path: path.stem)
def test_the_shipped_profiles_are_valid(profile: Path) -> None:
    assert load({"SHARDKEEPER_CONFIG": str(profile)}).environment == profile.stem


def test_connections_can_be_a_systemd_credential(tmp_path: Path) -> None:
    (tmp_path / "tasks__connections").write_text('{"warehouse": "postgresql://db/x"}\n')
    found = load({"CREDENTIALS_DIRECTORY": str(tmp_path)}).tasks.connections
    assert {name: url.get_secret_value() for name, url in found.items()} == {"warehouse": "postgresql://db/x"}
