"""The relay of `make faults` is what tests cut links with too: real sockets on loopback."""

from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Iterator

import pytest

from bench.faults.relay import Relay

PATIENCE_S = 10.0
BIG = bytes(range(256)) * 40_000  # more than the kernel holds between two sockets


class Server:
    """Takes connections, and hears and says what the test wants."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(PATIENCE_S)
        self.taken: list[socket.socket] = []

    @property
    def hosts(self) -> str:
        return f"127.0.0.1:{self.listener.getsockname()[1]}"

    def take(self) -> socket.socket:
        """The next connection."""
        one, _ = self.listener.accept()
        one.settimeout(PATIENCE_S)
        self.taken.append(one)
        return one

    def close(self) -> None:
        for one in (self.listener, *self.taken):
            one.close()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture
def relay(server: Server) -> Iterator[Relay]:
    with Relay(server.hosts) as made:
        yield made


@contextlib.contextmanager
def linked(relay: Relay, server: Server) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A client and its other end."""
    with socket.create_connection(("127.0.0.1", relay.port), timeout=PATIENCE_S) as client:
        yield client, server.take()


def heard(one: socket.socket, length: int) -> bytes:
    parts = bytearray()
    while len(parts) < length:
        data = one.recv(length - len(parts))
        assert data, "the link has ended"
        parts += data
    return bytes(parts)


def passes(source: socket.socket, sink: socket.socket, text: bytes = b"word") -> None:
    source.sendall(text)
    assert heard(sink, len(text)) == text


def is_silent(one: socket.socket) -> bool:
    """Whether nothing can be read now. What a relay was told is done when its method returns, so what was said after
    that, and does not come within a moment, is held back."""
    return not select.select([one], [], [], 0.05)[0]


def is_broken(one: socket.socket) -> bool:
    try:
        return one.recv(1) == b""
    except ConnectionError:
        return True


def test_bytes_pass_both_ways(relay: Relay, server: Server) -> None:
    with linked(relay, server) as (client, other):
        passes(client, other)
        passes(other, client)


def test_more_than_the_kernel_holds_waits_until_it_is_read(relay: Relay, server: Server) -> None:
    with linked(relay, server) as (client, other):
        client.setblocking(False)
        sent = 0
        received = bytearray()
        while len(received) < len(BIG):
            with contextlib.suppress(BlockingIOError):
                sent += client.send(BIG[sent : sent + 1_000_000])
            if sent == len(BIG) or not select.select([], [client], [], 0)[1]:
                received += other.recv(1_000_000)
        assert bytes(received) == BIG


def test_the_end_of_one_side_is_the_end_of_the_other(relay: Relay, server: Server) -> None:
    with linked(relay, server) as (client, other):
        other.sendall(b"last words")
        other.close()
        assert heard(client, 10) == b"last words"
        assert is_broken(client)


def test_a_cut_link_breaks_what_is_open_and_refuses_what_comes_until_it_is_mended(
    relay: Relay, server: Server
) -> None:
    with linked(relay, server) as (client, other):
        passes(client, other)
        relay.cut()
        assert is_broken(client)
        assert is_broken(other)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", relay.port))
        relay.mend()
    with linked(relay, server) as (client, other):
        passes(client, other)


def test_a_stalled_link_stays_open_says_nothing_and_loses_nothing(relay: Relay, server: Server) -> None:
    with linked(relay, server) as (client, other):
        passes(client, other)
        relay.stall()
        client.sendall(b"ask")
        other.sendall(b"say")
        assert is_silent(client)
        assert is_silent(other)
        relay.mend()
        assert heard(other, 3) == b"ask"
        assert heard(client, 3) == b"say"


def test_one_connects_to_a_stalled_link_and_hears_nothing(relay: Relay, server: Server) -> None:
    relay.stall()
    with linked(relay, server) as (client, other):
        client.sendall(b"ask")
        assert is_silent(other)
        relay.mend()
        assert heard(other, 3) == b"ask"


def test_what_the_server_answers_is_held_back(relay: Relay, server: Server) -> None:
    with linked(relay, server) as (client, other):
        relay.lose_answers()
        passes(client, other)
        other.sendall(b"answer")
        assert is_silent(client)
        relay.mend()
        assert heard(client, 6) == b"answer"


def test_one_connection_is_stalled_alone(relay: Relay, server: Server) -> None:
    with linked(relay, server) as (client, other), linked(relay, server) as (second, other_of_second):
        passes(client, other)
        passes(second, other_of_second)
        assert relay.stall_one(other.getpeername()[1])
        client.sendall(b"ask")
        assert is_silent(other)
        passes(second, other_of_second)
        passes(other_of_second, second)
        relay.mend()
        assert heard(other, 3) == b"ask"


def test_a_connection_that_is_not_there_cannot_be_stalled(relay: Relay) -> None:
    assert not relay.stall_one(1)


def test_a_client_of_a_server_that_is_away_is_turned_away(server: Server) -> None:
    with Relay(server.hosts) as relay:
        server.listener.close()
        with socket.create_connection(("127.0.0.1", relay.port), timeout=PATIENCE_S) as client:
            assert is_broken(client)


def test_closing_twice_and_asking_afterwards_are_harmless(server: Server) -> None:
    relay = Relay(server.hosts)
    relay.close()
    relay.close()
    relay.mend()
    assert not relay.stall_one(1)
