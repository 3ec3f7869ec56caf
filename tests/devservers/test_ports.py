from __future__ import annotations

import socket

import pytest

from shardkeeper.devservers import ports
from shardkeeper.devservers.errors import ServerUnavailable
from shardkeeper.devservers.ports import LOOPBACK, ReservedPort


def only(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_LOWEST", number)
    monkeypatch.setattr(ports, "_HIGHEST", number)


def test_a_port_that_is_held_is_given_to_nobody_else_until_it_is_released(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held = ReservedPort.take()
    only(held.number, monkeypatch)
    with pytest.raises(ServerUnavailable):
        ReservedPort.take()
    held.release()
    again = ReservedPort.take()
    assert again.number == held.number
    again.release()
    again.release()


def test_a_port_on_which_somebody_listens_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as stranger:
        stranger.bind((LOOPBACK, 0))
        stranger.listen()
        only(stranger.getsockname()[1], monkeypatch)
        with pytest.raises(ServerUnavailable):
            ReservedPort.take()
