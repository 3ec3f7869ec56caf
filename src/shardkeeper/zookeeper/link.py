"""One kazoo client, with its traps covered.

kazoo runs two threads of its own: one talks to the server and calls state listeners, one calls watches. A
call to ZooKeeper made inside a listener kills the client silently, and a slow watch callback delays all
others; so here both only post an event for the owner's thread. A call made while the link is down would be
queued and block; so every call is asynchronous, is refused when the link is known to be down, and waits
with a deadline. What timed out may still be done later by kazoo: its effect is unknown, and whoever asked
must read back.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kazoo.client import KazooClient
from kazoo.exceptions import (
    AuthFailedError,
    ConnectionClosedError,
    ConnectionLoss,
    InvalidACLError,
    KazooException,
    NoAuthError,
    OperationTimeoutError,
    SessionExpiredError,
    SessionMovedError,
)
from kazoo.handlers.threading import KazooTimeoutError
from kazoo.protocol.connection import ConnectionHandler
from kazoo.protocol.states import EventType, KazooState, KeeperState, WatchedEvent
from kazoo.retry import KazooRetry

from shardkeeper.domain.errors import ShardkeeperError
from shardkeeper.zookeeper.options import ZooKeeperOptions

_DOWN = (
    ConnectionLoss,
    ConnectionClosedError,
    OperationTimeoutError,
    SessionExpiredError,
    SessionMovedError,
    KazooTimeoutError,
)
_DENIED = (NoAuthError, AuthFailedError, InvalidACLError)


class LinkDown(ShardkeeperError):
    """The link with ZooKeeper broke or did not answer in time; whether the call was done is unknown."""


class Denied(ShardkeeperError):
    """ZooKeeper refuses what our credentials ask for."""


@dataclass(frozen=True, slots=True)
class LinkChanged:
    """The link's state changed; `auth_failed` when the server did not accept the credentials."""

    link: Link
    state: KazooState
    auth_failed: bool


@dataclass(frozen=True, slots=True)
class Hint:
    """Something happened at `path` (absolute)."""

    link: Link
    path: str


class _ObservingConnection(ConnectionHandler):  # type: ignore[misc]  # kazoo ships no types
    """Keeps the session timeout that the server gave, which kazoo uses and forgets."""

    negotiated_timeout_s: float | None = None

    def _invoke(self, timeout: float, request: Any, xid: int | None = None) -> Any:
        answer = super()._invoke(timeout, request, xid)
        if isinstance(answer, tuple):
            given_ms = getattr(answer[0], "time_out", 0)
            if given_ms > 0:
                self.negotiated_timeout_s = given_ms / 1000
        return answer


class _Trouble(logging.Handler):
    """Keeps kazoo's last warning: why it cannot connect is told nowhere else."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.text: str | None = None

    def emit(self, record: logging.LogRecord) -> None:
        self.text = record.getMessage()


class Link:
    """A kazoo client from its first attempt to connect to its end; `post` gets `LinkChanged` and `Hint`,
    from kazoo's threads."""

    def __init__(self, options: ZooKeeperOptions, post: Callable[[LinkChanged | Hint], None]) -> None:
        self._options = options
        self._post = post
        self._trouble = _Trouble()
        self._client = self._new_client()
        self._opened_at = time.monotonic()

    def _new_client(self) -> KazooClient:
        options = self._options
        # not in the registry of loggers: kazoo writes credentials at DEBUG, so nothing below WARNING may
        # ever pass
        logger = logging.Logger("shardkeeper.zookeeper.kazoo", logging.WARNING)
        logger.parent = logging.getLogger("kazoo")
        logger.addHandler(self._trouble)
        client = KazooClient(
            hosts=options.servers,
            timeout=options.session_timeout_s,
            auth_data=options.credentials,
            # for ever: kazoo's own start() would give up after 15 s
            connection_retry=KazooRetry(
                max_tries=-1, delay=0.1, backoff=2, max_delay=1.0, ignore_expire=False
            ),
            command_retry=KazooRetry(max_tries=1, ignore_expire=False),
            use_ssl=options.tls_ca is not None,
            ca=options.tls_ca,
            certfile=options.tls_cert,
            keyfile=options.tls_key,
            keyfile_password=options.tls_key_password,
            verify_certs=True,
            check_hostname=options.tls_check_hostname,
            logger=logger,
        )
        client._connection = _ObservingConnection(client, client._conn_retry.copy(), logger=logger)
        client.add_listener(self._on_state)
        return client

    def open(self) -> None:
        """Begin to connect, in kazoo's thread."""
        self._client.start_async()

    def close(self) -> None:
        """End the session where the server still answers; may take as long as kazoo's thread needs to end."""
        try:
            self._client.stop()
            self._client.close()
        except Exception as error:  # noqa: BLE001 - whatever kazoo finds wrong, this client is not used again
            logging.getLogger(__name__).debug("closing the ZooKeeper client: %s", error)

    def _on_state(self, state: KazooState) -> None:
        self._post(LinkChanged(self, state, self._client.client_state == KeeperState.AUTH_FAILED))

    def hint(self, event: WatchedEvent) -> None:
        """The one watch callback; at a disconnect kazoo drops all watches, and the state tells it."""
        if event.type != EventType.NONE:
            self._post(Hint(self, event.path))

    @property
    def live(self) -> bool:
        """Whether kazoo believes that the link is up."""
        return bool(self._client.connected)

    @property
    def dead(self) -> bool:
        """Whether kazoo's thread has ended by itself: this client will never connect again."""
        return bool(
            self._client.client_state == KeeperState.CLOSED and time.monotonic() > self._opened_at + 1
        )

    @property
    def trouble(self) -> str | None:
        """The last thing that kazoo complained of."""
        return self._trouble.text

    @property
    def session(self) -> int | None:
        """The id of the session, as `ephemeralOwner` shows it; None while the link is down."""
        known = self._client.client_id
        return known[0] if known else None

    @property
    def negotiated_timeout_s(self) -> float | None:
        """The session timeout that the server gave, seconds."""
        known: float | None = self._client._connection.negotiated_timeout_s
        return known

    def forget_progress(self) -> None:
        """Let servers that know less than we have seen take us in.

        A server refuses whoever has seen a later transaction than it has itself, to keep a client's view of
        the data from going back. When the servers lost their data this refuses every client for ever, and
        the session is never called expired.
        """
        self._client.last_zxid = 0

    def wait(self, pending: Sequence[Any]) -> list[Any]:
        """The answers to calls already sent, in their order, within one deadline for all.

        An answer is what the call gives, or the `KazooException` about a znode (`NoNodeError`,
        `BadVersionError`...). Raises `LinkDown` and `Denied`.
        """
        until = time.monotonic() + self._options.operation_timeout_s
        answers: list[Any] = []
        for one in pending:
            try:
                answers.append(one.get(timeout=max(0.0, until - time.monotonic())))
            except _DOWN as error:
                raise LinkDown(f"ZooKeeper did not answer ({type(error).__name__})") from error
            except _DENIED as error:
                raise Denied(f"ZooKeeper refuses our credentials ({type(error).__name__})") from error
            except KazooException as error:
                answers.append(error)
        return answers

    def _sender(self) -> KazooClient:
        if not self.live:
            raise LinkDown("the link with ZooKeeper is down")
        return self._client

    def sync(self, path: str) -> Any:
        """Have the server catch up with its leader before what is asked next."""
        return self._sender().sync_async(path)

    def children(self, path: str) -> Any:
        """(names of the children, stat of their parent); leaves a watch."""
        return self._sender().get_children_async(path, watch=self.hint, include_data=True)

    def get(self, path: str, *, watch: bool) -> Any:
        """(data, stat)."""
        return self._sender().get_async(path, watch=self.hint if watch else None)

    def exists(self, path: str, *, watch: bool) -> Any:
        """stat or None; a watch is left either way."""
        return self._sender().exists_async(path, watch=self.hint if watch else None)

    def create(self, path: str, data: bytes, *, ephemeral: bool = False, sequence: bool = False) -> Any:
        """The path that was made."""
        return self._sender().create_async(
            path, data, acl=self._options.acl, ephemeral=ephemeral, sequence=sequence
        )

    def write(self, path: str, data: bytes, version: int) -> Any:
        """stat."""
        return self._sender().set_async(path, data, version=version)

    def delete(self, path: str, version: int) -> Any:
        """True."""
        return self._sender().delete_async(path, version=version)

    def publish(self, candidate: str, path: str, data: bytes, expected_version: int | None) -> Any:
        """A list with one answer per step of the transaction; nothing was done when any of them is an
        exception."""
        transaction = self._sender().transaction()
        transaction.check(candidate, -1)
        if expected_version is None:
            transaction.create(path, data, acl=self._options.acl)
        else:
            transaction.set_data(path, data, version=expected_version)
        return transaction.commit_async()
