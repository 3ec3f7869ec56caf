"""Talking to systemd: readiness, status and watchdog pings, by its notify socket (sd_notify(3)); silent where there
is none.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping


class ServiceManager:
    """``environment`` holds NOTIFY_SOCKET and WATCHDOG_USEC, as systemd sets them."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        env = os.environ if environment is None else environment
        address = env.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._watchdog_s = int(env.get("WATCHDOG_USEC", "0") or "0") / 1e6
        self._socket: socket.socket | None = None
        self._status = ""

    @property
    def watchdog_s(self) -> float:
        """Seconds after which systemd kills a daemon that does not ping; 0: it does not watch."""
        return self._watchdog_s

    def ready(self, status: str) -> None:
        """The daemon does its work now."""
        self._status = status
        self._send(f"READY=1\nSTATUS={status}")

    def status(self, status: str) -> None:
        """One line for ``systemctl status``; sent only when it changed."""
        if status != self._status:
            self._status = status
            self._send(f"STATUS={status}")

    def stopping(self, status: str) -> None:
        """The daemon is on its way out."""
        self._send(f"STOPPING=1\nSTATUS={status}")

    def alive(self) -> None:
        """Ping the watchdog."""
        if self._watchdog_s:
            self._send("WATCHDOG=1")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        try:
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.sendto(text.encode(), self._address)
        except OSError:  # the service manager is being restarted: the next ping reaches it
            return
