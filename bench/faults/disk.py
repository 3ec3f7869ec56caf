"""A small file system for the state folder of one node, which can be filled up."""

from __future__ import annotations

import errno
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

SIZE_BYTES = 1 << 20
_BALLAST = "ballast"
_PIECE = bytes(1 << 14)


class SmallDisk:
    """A tmpfs of a mebibyte on ``folder``, which is made. Mounting needs root; raises OSError where it is refused."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        done = _run("mount", "-t", "tmpfs", "-o", f"size={SIZE_BYTES},mode=0700", "shardkeeper", str(folder))
        if done.returncode:
            folder.rmdir()
            raise OSError(errno.EPERM, f"mount: {done.stderr.strip()}")

    def fill(self) -> None:
        """Leave no byte free; what lies there stays."""
        with (self.folder / _BALLAST).open("ab", buffering=0) as ballast:
            piece = _PIECE
            while piece:
                try:
                    ballast.write(piece)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    piece = piece[: len(piece) // 2]

    def empty(self) -> None:
        """Take away what `fill` has put there."""
        (self.folder / _BALLAST).unlink(missing_ok=True)

    def close(self) -> None:
        """Unmount it, also while somebody has a file open in it; harmless when done twice."""
        if self.folder.is_mount():
            _run("umount", "--lazy", str(self.folder))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _run(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, check=False, capture_output=True, text=True)
