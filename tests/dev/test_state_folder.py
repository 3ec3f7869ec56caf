"""Where `shardkeeper dev` keeps its things."""

from __future__ import annotations

import os
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest

from shardkeeper.dev.options import DevFailed
from shardkeeper.dev.state import StateFolder, default_folder


def test_fresh_removes_what_dev_made_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("18")
    (tmp_path / "letter.txt").write_text("mine")
    state = StateFolder(tmp_path)
    state.take(fresh=True)
    state.release()
    assert not (tmp_path / "postgres").exists()
    assert (tmp_path / "letter.txt").read_text() == "mine"


def test_a_folder_that_is_in_use_is_refused_until_it_is_released(tmp_path: Path) -> None:
    first, second = StateFolder(tmp_path), StateFolder(tmp_path)
    first.take(fresh=False)
    with pytest.raises(DevFailed, match="another `shardkeeper dev` is using"):
        second.take(fresh=True)
    first.release()
    second.take(fresh=False)
    second.release()


def test_a_link_to_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "state").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DevFailed, match="not a folder of yours"):
        StateFolder(tmp_path / "state").take(fresh=False)


def test_the_settings_file_is_for_its_owner_and_says_what_it_was_told(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    settings = {
        "database_url": 'post"gres\\',
        "lease": 2.5,
        "tasks": {"allowed_modules": ["a", "b"]},
        "namespace": "x",
    }
    state.write_config(settings)
    assert tomllib.loads(state.config.read_text()) == settings
    assert state.config.stat().st_mode & 0o077 == 0


def test_a_shell_that_evaluates_env_has_the_variables_and_the_programs_once(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    state.write_env({"DATABASE_URL": "it's; $HOME"}, Path("/some programs"))
    script = f'eval "$(cat {shlex.quote(str(state.env))})"; ' * 2 + 'echo "$DATABASE_URL|$PATH"'
    said = subprocess.run(
        ["sh", "-c", script], capture_output=True, text=True, check=True, env={"PATH": os.defpath}
    )
    assert said.stdout.strip() == f"it's; $HOME|/some programs:{os.defpath}"


def test_the_folder_is_named_by_a_variable_or_by_the_user_and_the_spec_files(tmp_path: Path) -> None:
    assert default_folder({"SHARDKEEPER_STATE_DIR": str(tmp_path)}, Path("jobspecs")) == tmp_path
    samples = default_folder({}, Path("jobspecs"))
    assert samples.name == f"shardkeeper-dev-{os.getuid()}"
    assert default_folder({}, tmp_path / "my orders").name == f"{samples.name}-my_orders"
