"""What the pages say of idle processors, and keeping them awake."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from bench import idle


@pytest.mark.parametrize(
    ("driver", "polls_ns", "told"),
    [
        ("haltpoll", "0", "halt at once (haltpoll, 0 µs)"),
        ("haltpoll", "200000", "poll for 200 µs before they halt (haltpoll)"),
        ("intel_idle", None, "as intel_idle has it"),
        (None, None, "not told"),
    ],
)
def test_the_machine_s_own_settings_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, driver: str | None, polls_ns: str | None, told: str
) -> None:
    for name, text in (("_DRIVER", driver), ("_POLLS_NS", polls_ns)):
        if text is not None:
            (tmp_path / name).write_text(text + "\n")
        monkeypatch.setattr(idle, name, tmp_path / name)
    assert idle.idle_processors() == told


def test_awake_is_asked_of_the_kernel_by_a_zero_and_a_user_who_may_not_learns_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idle, "QUALITY", tmp_path / "latency")
    with idle.kept_awake():
        assert struct.unpack("=i", idle.QUALITY.read_bytes()) == (0,)
    monkeypatch.setattr(idle, "QUALITY", tmp_path / "no" / "latency")
    with pytest.raises(OSError, match="latency"), idle.kept_awake():
        pass
