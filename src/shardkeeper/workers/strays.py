"""Finding and killing processes that a task leaves behind, those that left its session and group included.

Two ways, each where the other is blind. A living worker is the reaper of its orphans (``PR_SET_CHILD_SUBREAPER``), so
all that its task started stay its descendants. Of a dead worker's, only a mark tells: an environment variable that
each worker gets at birth and its children inherit.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import signal
import time
from pathlib import Path

_LOG = logging.getLogger(__name__)

MARK = "SHARDKEEPER_WORKER"
"""The environment variable: a random text by node process, a dot, the worker's number."""

_PR_SET_CHILD_SUBREAPER = 36


def become_reaper() -> bool:
    """Let orphaned descendants become children of this process. False where the kernel does not allow it."""
    try:
        return bool(ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)
    except (OSError, AttributeError):
        return False


def has_children() -> bool:
    """Whether this process has a child, living or not yet reaped: one system call."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def kill_children(patience_s: float = 2.0) -> int:
    """Kill and reap all descendants of this process until none is left or patience ends. Returns how many."""
    until = time.monotonic() + patience_s
    reaped = 0
    while has_children() and time.monotonic() < until:
        for pid in descendants(os.getpid()):
            _kill(pid)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                reaped += 1
            # killed but not dead yet, or stopped in the kernel
            time.sleep(0.001)
    return reaped


def descendants(pid: int) -> list[int]:
    """Children of ``pid`` and theirs, as /proc shows them now."""
    found: list[int] = []
    todo = [pid]
    while todo:
        tasks = Path(f"/proc/{todo.pop()}/task")
        with contextlib.suppress(OSError):
            for task in tasks.iterdir():
                with contextlib.suppress(OSError):
                    children = [int(one) for one in (task / "children").read_bytes().split()]
                    found += children
                    todo += children
    return found


def kill_marked(mark: str, spare: frozenset[int] = frozenset()) -> int:
    """Kill all whose mark is ``mark`` or begins with it and a dot; again until none is found. Returns how many."""
    killed: set[int] = set()
    for _ in range(20):
        found = [pid for pid in marked(mark) if pid not in spare]
        if not found:
            break
        killed.update(found)
        for pid in found:
            _kill(pid)
        time.sleep(0.002)
    return len(killed)


def marked(mark: str) -> list[int]:
    """Living processes (not zombies) that carry the mark, as far as this user may look.

    Nothing is found where nothing can be looked at, for want of descriptors: the guard finds them when the node ends.
    """
    exact = f"{MARK}={mark}\0".encode()
    longer = f"{MARK}={mark}.".encode()
    found = []
    for entry in _processes():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            environment = (entry / "environ").read_bytes()
            if exact in environment or longer in environment:
                found.append(int(entry.name))
    return found


def _processes() -> list[Path]:
    try:
        return list(Path("/proc").iterdir())
    except OSError as error:
        _LOG.warning("what a dead worker left behind cannot be looked for: %s", error)
        return []


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)
