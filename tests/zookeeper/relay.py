"""A TCP relay between one client and its servers: the link that tests cut, freeze and mend."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self


class Relay:
    """Listens on loopback and passes bytes on to `target` ("host:port").

    `cut` breaks what is open and refuses what comes; `freeze` keeps links open and passes nothing on;
    `lose_answers` passes on what the client says and holds back what the server answers; `mend` ends all
    three.
    """

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        self._asking = threading.Event()
        self._answering = threading.Event()
        self.mend()
        self._closed = False
        threading.Thread(target=self._accept, name="relay", daemon=True).start()

    @property
    def hosts(self) -> str:
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def cut(self) -> None:
        with self._guard:
            self._refusing = True
            for one in self._open:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def freeze(self) -> None:
        self._asking.clear()
        self._answering.clear()

    def lose_answers(self) -> None:
        self._answering.clear()

    def mend(self) -> None:
        self._refusing = False
        self._asking.set()
        self._answering.set()

    def close(self) -> None:
        self._closed = True
        self.cut()
        self._asking.set()
        self._answering.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _accept(self) -> None:
        while not self._closed:
            try:
                inner, _ = self._listener.accept()
            except OSError:
                return
            try:
                outer = socket.create_connection(self._target, timeout=2.0)
            except OSError:
                inner.close()
                continue
            outer.settimeout(None)
            with self._guard:
                if self._refusing:
                    inner.close()
                    outer.close()
                    continue
                self._open |= {inner, outer}
            for way in ((inner, outer, self._asking), (outer, inner, self._answering)):
                threading.Thread(target=self._pump, args=way, name="relay", daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, passing: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                passing.wait()
                sink.sendall(data)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        with self._guard:
            self._open.discard(source)
        source.close()
