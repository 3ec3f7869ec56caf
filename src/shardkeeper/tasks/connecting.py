"""Connections that go to the very address that was judged, and that end when the whole request's time is up."""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Sequence
from typing import Any

from shardkeeper.tasks.addresses import Network, refusal

AddressInfo = tuple[int, int, int, str, tuple[Any, ...]]


class AddressRefused(Exception):
    """The URL, or where it was redirected to, leads to an address that this node does not send requests to."""


class Deadline:
    """The end of the whole request."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._until = time.monotonic() + timeout_s

    def left_s(self) -> float:
        """Seconds left, more than 0. Raises TimeoutError."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"no complete answer within {self._timeout_s:g} s")
        return left


class _TimedReader(io.RawIOBase):
    """Each reading is bounded by what is left: a time-out of the socket starts anew with every byte that a slow server
    drips."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        super().__init__()
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(self._deadline.left_s())
        return self._sock.recv_into(buffer)


class _TimedSocket:
    """What http.client needs of a socket."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_TimedReader(self._sock, self._deadline))

    def sendall(self, data: Any) -> None:
        view = memoryview(data)
        while view:
            self._sock.settimeout(self._deadline.left_s())
            view = view[self._sock.send(view) :]

    def close(self) -> None:
        """http.client calls it before the answer is read: ``hang_up`` closes."""


class CheckedConnection(http.client.HTTPConnection):
    """To one of ``addresses`` and nothing else. Its creator hangs up."""

    def __init__(
        self, host: str, port: int, addresses: Iterable[AddressInfo], tls: bool, deadline: Deadline
    ) -> None:
        super().__init__(host, port)
        self._addresses = tuple(addresses)
        self._tls = tls
        self._deadline = deadline
        self._plain: socket.socket | None = None
        if tls:
            # leaves the port out of the header Host where it is the scheme's
            self.default_port = http.client.HTTPS_PORT

    def connect(self) -> None:
        self._plain = self._connected()
        if self._tls:
            self._plain.settimeout(self._deadline.left_s())
            # certificate and host name are verified against the machine's authorities
            self._plain = ssl.create_default_context().wrap_socket(self._plain, server_hostname=self.host)
        self.sock = _TimedSocket(self._plain, self._deadline)

    def hang_up(self) -> None:
        """Close the socket, whatever state it is in."""
        self.close()
        if self._plain is not None:
            self._plain.close()

    def _connected(self) -> socket.socket:
        failed: OSError | None = None
        for number, (family, kind, protocol, _, address) in enumerate(self._addresses):
            sock = socket.socket(family, kind, protocol)
            try:
                # an address that does not answer leaves time for those after it
                sock.settimeout(self._deadline.left_s() / (len(self._addresses) - number))
                sock.connect(address)
            except OSError as error:
                sock.close()
                failed = error
            except BaseException:
                sock.close()
                raise
            else:
                return sock
        self._deadline.left_s()
        raise ConnectionError(f"no connection to {self.host}:{self.port}: {failed}")


def resolved(host: str, port: int, allowed: Iterable[Network], deadline: Deadline) -> Sequence[AddressInfo]:
    """The addresses of ``host``, every one of them judged: a name with a single refused address is refused.

    Raises AddressRefused, TimeoutError, and OSError when there is no such name."""
    found = _looked_up(host, port, deadline)
    networks = tuple(allowed)
    for *_, address in found:
        kind = refusal(str(address[0]), networks)
        if kind is not None:
            raise AddressRefused(
                f"{host} is {address[0]}, a {kind} address: tasks.allowed_networks of this node does not allow it"
            )
    return found


def _looked_up(host: str, port: int, deadline: Deadline) -> Sequence[AddressInfo]:
    """A look-up takes as long as the system's resolver likes: it is waited for no longer than there is time."""
    answers: list[Sequence[AddressInfo] | Exception] = []

    def look_up() -> None:
        try:
            answers.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answers.append(error)

    thread = threading.Thread(target=look_up, name="shardkeeper-look-up", daemon=True)
    thread.start()
    thread.join(deadline.left_s())
    if not answers:
        raise TimeoutError(f"{host}: the name was not looked up in time")
    (answer,) = answers
    if isinstance(answer, Exception):
        raise ConnectionError(f"{host}: {answer}")
    return answer
