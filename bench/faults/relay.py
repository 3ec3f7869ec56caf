"""A TCP relay on loopback between clients and one server: the link that is cut, stalled and mended.

One thread serves all its connections, with sockets that never block, so that a relay in the way costs a busy link
little and an idle one nothing. What is asked of it is done by that thread: when a method returns, it is so.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self

from bench.faults.passage import Flow, Passage
from shardkeeper.devservers.ports import LOOPBACK, ReservedPort

_BACKLOG = 128


class Relay:
    """Passes bytes on to ``target`` ("host:port").

    `cut` breaks what is open and refuses what comes; `stall` keeps links open, takes new ones, and passes nothing on;
    `stall_one` does so to a single connection; `lose_answers` passes on what clients say and holds back what the
    server answers; `mend` ends all of these, and what was held back goes on. (Unlike a network that swallows packets,
    a stalled relay acknowledges what it was sent: probes of TCP find nothing wrong with it.)
    """

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        # reserved, since it is given back while the link is cut
        self._port = ReservedPort.take()
        self._flow = Flow()
        self._passages: set[Passage] = set()
        self._listener: socket.socket | None = None
        self._selector = selectors.DefaultSelector()
        self._asked: deque[tuple[Callable[[], object], Future[object]]] = deque()
        self._awake, self._wake = socket.socketpair()
        self._selector.register(self._awake, selectors.EVENT_READ, self._hear)
        self._open_door()
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name="relay", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Where clients connect, on loopback."""
        return self._port.number

    @property
    def hosts(self) -> str:
        """The same as "host:port"."""
        return f"{LOOPBACK}:{self.port}"

    def cut(self) -> None:
        """Break what is open, refuse what comes."""
        self._do(self._cut)

    def stall(self) -> None:
        """Pass nothing on, either way, and keep links open."""
        self._do(lambda: self._set(Flow(asking=False, answering=False)))

    def lose_answers(self) -> None:
        """Hold back what the server says."""
        self._do(lambda: self._set(Flow(answering=False)))

    def stall_one(self, client_port: int) -> bool:
        """Stall the connection that has this local port towards the server (PostgreSQL: pg_stat_activity.client_port);
        whether there is one."""
        return bool(self._do(lambda: self._stall_one(client_port)))

    def mend(self) -> None:
        """Let everything through."""
        self._do(self._mend)

    def close(self) -> None:
        """Break everything and end the thread; harmless when done twice."""
        if self._closed:
            return
        self._do(self._cut)
        self._closed = True
        self._wake.send(b"x")
        self._thread.join()
        for one in (self._awake, self._wake):
            one.close()
        self._selector.close()
        self._port.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _do(self, work: Callable[[], object]) -> object:
        """Have the relay's thread do it; returns what it says."""
        if self._closed:
            return None
        answer: Future[object] = Future()
        self._asked.append((work, answer))
        self._wake.send(b"x")
        return answer.result()

    def _serve(self) -> None:
        while not self._closed:
            for key, events in self._selector.select():
                one: Any = key.fileobj
                if one.fileno() >= 0:  # what came before may have closed it
                    key.data(one, events)

    def _hear(self, awake: socket.socket, _: int) -> None:
        awake.recv(1024)
        while self._asked:
            work, answer = self._asked.popleft()
            try:
                answer.set_result(work())
            except BaseException as error:  # noqa: BLE001  whoever asked is told
                answer.set_exception(error)

    def _open_door(self) -> None:
        listener = socket.create_server((LOOPBACK, self.port), backlog=_BACKLOG)
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ, self._accept)
        self._listener = listener

    def _accept(self, listener: socket.socket, _: int) -> None:
        try:
            inner, _address = listener.accept()
        except OSError:
            return
        try:
            passage = Passage(inner, self._target)
        except OSError:
            inner.close()
            return
        self._passages.add(passage)
        self._watch(passage)

    def _move(self, passage: Passage, one: socket.socket, events: int) -> None:
        # what came before may have stalled it
        events &= passage.waits_for(one, self._flow)
        try:
            passage.move(one, events)
        except OSError:
            passage.over = True
        if passage.over:
            self._end(passage)
        else:
            self._watch(passage)

    def _watch(self, passage: Passage) -> None:
        """Wait for what may go on in it now, and for nothing else: a socket that is waited for tells of its end again
        and again."""
        for one in passage.sockets:
            wanted = passage.waits_for(one, self._flow)
            known = self._selector.get_map().get(one)
            if known is None and wanted:
                self._selector.register(one, wanted, lambda it, events: self._move(passage, it, events))
            elif known is not None and not wanted:
                self._selector.unregister(one)
            elif known is not None and known.events != wanted:
                self._selector.modify(one, wanted, known.data)

    def _end(self, passage: Passage, *, broken: bool = False) -> None:
        for one in passage.sockets:
            with contextlib.suppress(KeyError):
                self._selector.unregister(one)
        passage.close(broken=broken)
        self._passages.discard(passage)

    def _set(self, flow: Flow) -> None:
        self._flow = flow
        for passage in self._passages:
            self._watch(passage)

    def _stall_one(self, client_port: int) -> bool:
        found = [passage for passage in self._passages if passage.client_port == client_port]
        for passage in found:
            passage.stalled = True
            self._watch(passage)
        return bool(found)

    def _cut(self) -> None:
        if self._listener is not None:
            self._selector.unregister(self._listener)
            self._listener.close()
            self._listener = None
        for passage in list(self._passages):
            self._end(passage, broken=True)

    def _mend(self) -> None:
        if self._listener is None:
            self._open_door()
        for passage in self._passages:
            passage.stalled = False
        self._set(Flow())
