"""A worker process as its node sees it: three sockets, a shared page, the end of a pipe, and a pidfd."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Iterator

from shardkeeper.workers.child import LOST_CHANNEL
from shardkeeper.workers.frames import BadFrame, FrameReader, Message, packed
from shardkeeper.workers.mail import Outbox, packets_of
from shardkeeper.workers.page import LOG_LIMIT, Page, new_page
from shardkeeper.workers.settings import WorkersSettings
from shardkeeper.workers.strays import MARK, kill_marked
from shardkeeper.workers.texts import log_text

FRAME_SLACK = 1 << 20
"""Bytes that a frame may have beyond the result it carries: log, traceback, refused values."""


_CHUNK = 65_536
"""Bytes read at a time: for more, the allocation alone would cost ten times the system call."""
_READS = 16
"""So many at most for one worker, then the others have their turn."""


class WorkerProcess:
    """Started by its making, which takes about two milliseconds here and 50 over there (OSError when it cannot be)."""

    def __init__(self, settings: WorkersSettings, mark: str, shared: bool, slots: int) -> None:
        """``mark``: unique, in the environment of the process and of all it starts. ``slots``: of its page."""
        self.mark = mark
        self.killed = False
        self._secrets = settings.secrets
        self._reader = FrameReader(FRAME_SLACK)
        with contextlib.ExitStack() as theirs, contextlib.ExitStack() as ours:
            self.outbox = ours.enter_context(contextlib.closing(Outbox()))
            self.channel, channel = _pair(ours, theirs)
            self.control, control = _pair(ours, theirs)
            page_fd = new_page(slots)
            theirs.callback(os.close, page_fd)
            self._log_fd, log_end = os.pipe()
            ours.callback(os.close, self._log_fd)
            theirs.callback(os.close, log_end)
            self.page = ours.enter_context(contextlib.closing(Page(page_fd)))
            fds = (self.outbox.theirs, channel, control, page_fd, self._log_fd)
            # fork and exec in one (vfork): nothing of this process runs in the new one
            self._popen = subprocess.Popen(
                [settings.python, "-P", "-m", "shardkeeper.workers.child", *map(str, fds), _mode(shared)],
                stdin=subprocess.DEVNULL,
                stdout=log_end,
                stderr=log_end,
                pass_fds=fds,
                env={**settings.environment, MARK: mark},
                start_new_session=True,
            )
            self._ours = ours.pop_all()
        self.pid = self._popen.pid
        self.pidfd = os.pidfd_open(self.pid)
        os.set_blocking(self._log_fd, False)
        hello = {
            "t": "hello",
            "allowed_modules": list(settings.allowed_modules),
            "script_dirs": list(settings.script_dirs),
            "secrets": list(settings.secrets),
            "built_in": settings.built_in,
        }
        self.outbox.send(packets_of(hello))

    def order(self, message: Message) -> None:
        """Over the control socket, read even while a task runs. It may be lost; enforcement does not rest on it."""
        with contextlib.suppress(OSError):
            self.control.send(packed(message))

    def allow_frames(self, result_limit: int) -> None:
        """An order with this limit is on its way."""
        self._reader.limit = max(self._reader.limit, result_limit + FRAME_SLACK)

    def messages(self) -> Iterator[Message]:
        """What has arrived. Raises BadFrame."""
        for _ in range(_READS):
            try:
                data = self.channel.recv(_CHUNK)
            except OSError:
                # nothing there, or it is gone, and the pidfd tells that
                return
            yield from self._reader.feed(data)
            if len(data) < _CHUNK:
                return

    def last_messages(self) -> list[Message]:
        """All that a dead worker had sent."""
        found: list[Message] = []
        with contextlib.suppress(BadFrame):
            while True:
                try:
                    data = self.channel.recv(_CHUNK)
                except OSError:
                    break
                if not data:
                    break
                found.extend(self._reader.feed(data))
        return found

    def last_log(self) -> str | None:
        """What the attempt under way had written when its worker died: the page, then what was still in the pipe."""
        with contextlib.suppress(OSError):
            for _ in range(16):
                data = os.read(self._log_fd, LOG_LIMIT)
                if not data:
                    break
                self.page.write(data)
        return log_text(*self.page.tail(), secrets=self._secrets)

    def kill(self) -> None:
        """With its group, now. What left the group is found in ``bury``."""
        self.killed = True
        with contextlib.suppress(OSError):
            os.killpg(self.pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)

    def bury(self, strays: bool) -> str:
        """Reap the dead process and say how it died. ``strays``: look for what it started and kill that."""
        code = self._popen.wait()
        if strays:
            with contextlib.suppress(OSError):
                os.killpg(self.pid, signal.SIGKILL)
            kill_marked(self.mark)
        return _death(code, self.killed)

    def close(self) -> None:
        """Give back descriptors and memory."""
        os.close(self.pidfd)
        self._ours.close()


def _death(code: int, killed: bool) -> str:
    if code == LOST_CHANNEL:
        return "the task closed or overwrote the file descriptors of its worker"
    if code >= 0:
        return f"worker exited with code {code} without a result"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    if -code == signal.SIGKILL and not killed:
        return "worker was killed by SIGKILL (by itself, by a person, or by the kernel when out of memory)"
    return f"worker was killed by {name}"


def _mode(shared: bool) -> str:
    return "shared" if shared else "own"


def _pair(ours: contextlib.ExitStack, theirs: contextlib.ExitStack) -> tuple[socket.socket, int]:
    own, other = socket.socketpair()
    ours.enter_context(own)
    theirs.enter_context(other)
    own.setblocking(False)
    return own, other.fileno()
