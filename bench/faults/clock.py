"""The wall clock of one node, stepped while it runs: a small library of our own (clock.c), loaded before everything
else into the node and its workers, adds to the wall clock what stands in a file; the monotonic clock stays true.

libfaketime was tried (0.9.10) and found unfit: it takes part in the interpreter's waiting for its lock, and costs the
node up to a core there; it masks signals at each reading, so that one node in three did not hear SIGTERM; it makes
Python 3.11 unable to sleep; and it leaves shared memory behind.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path

_SOURCE = Path(__file__).with_suffix(".c")
_SECOND_NS = 1_000_000_000


class NoCompiler(Exception):
    """The library for stepping a clock cannot be made on this machine."""


class NodeClock:
    """``folder``: an existing one, for the library and the file with the offset. Raises NoCompiler."""

    def __init__(self, folder: Path) -> None:
        self._library = folder / "clock.so"
        self._file = folder / "clock-ahead-ns"
        _compile(self._library)
        self._file.write_bytes(bytes(8))

    @property
    def environment(self) -> Mapping[str, str]:
        """What the node is started with."""
        return {"LD_PRELOAD": str(self._library), "FAULTS_CLOCK": str(self._file)}

    def step_to(self, ahead_s: int) -> None:
        """Let the node's clock be so many seconds ahead of this machine's from now on."""
        # in place and in one write: the file is mapped
        file = os.open(self._file, os.O_WRONLY)
        try:
            os.pwrite(file, struct.pack("q", ahead_s * _SECOND_NS), 0)
        finally:
            os.close(file)


def _compile(library: Path) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise NoCompiler("no C compiler here: install Debian's gcc and libc6-dev")
    done = subprocess.run(
        [compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(_SOURCE), "-ldl"],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise NoCompiler(f"{compiler} cannot make clock.c into a library: {done.stderr.strip()[:500]}")
