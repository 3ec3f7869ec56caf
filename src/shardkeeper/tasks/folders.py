"""Files inside the folders that this node allows (``tasks.file_dirs``), and nothing outside, whatever a path says.

A path is walked folder by folder, each opened relative to the one before and never through a symbolic link: a link, or
a folder swapped for one in between, leads nowhere.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# a named pipe that nobody writes to must not hang the opening
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class PathRefused(Exception):
    """A path leads out of the folders that this node allows, or to what is no plain file."""


@dataclass(frozen=True, slots=True)
class Place:
    """A file inside an allowed folder: ``parts`` are the folders below it and the file's name."""

    folder: str
    parts: tuple[str, ...]


def place(path: str, folders: Sequence[str]) -> Place:
    """Where ``path`` lies: absolute, in one of ``folders``, or relative to the first of them. Raises PathRefused."""
    if not folders:
        raise PathRefused("this node allows no folder: tasks.file_dirs is empty")
    given = PurePosixPath(path)
    if ".." in given.parts:
        raise PathRefused(f"{path!r:.200} has .. in it")
    for folder in folders if given.is_absolute() else folders[:1]:
        whole = PurePosixPath(folder) / given
        if whole.is_relative_to(folder) and whole != PurePosixPath(folder):
            return Place(folder, whole.relative_to(folder).parts)
    raise PathRefused(f"{path!r:.200} is in none of tasks.file_dirs of this node")


@contextmanager
def reading(where: Place) -> Iterator[BinaryIO]:
    """The file, open. Raises PathRefused, FileNotFoundError and other OSErrors."""
    with _parent(where) as parent:
        fd = os.open(where.parts[-1], _FILE, dir_fd=parent)
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise PathRefused(f"{where.parts[-1]!r:.200} is no plain file")
        yield file


def write_whole(where: Place, write: Callable[[BinaryIO], None]) -> int:
    """Let ``write`` fill a new file which then takes the place of the old one, all or nothing; its size in bytes.

    Raises PathRefused and OSError, and what ``write`` raises.
    """
    name = where.parts[-1]
    draft = f".{secrets.token_hex(8)}.part"
    with _parent(where) as parent:
        fd = os.open(draft, _NEW, 0o666, dir_fd=parent)
        try:
            with os.fdopen(fd, "wb") as file:
                write(file)
                file.flush()
                os.fsync(fd)
                size = os.fstat(fd).st_size
            os.replace(draft, name, src_dir_fd=parent, dst_dir_fd=parent)
        except BaseException:
            os.unlink(draft, dir_fd=parent)
            raise
        # without it a crash of the machine may forget the new name
        os.fsync(parent)
    return size


@contextmanager
def _parent(where: Place) -> Iterator[int]:
    """A descriptor of the folder that the file is in. The allowed folder itself may be reached through links."""
    fd = os.open(where.folder, _FOLDER)
    try:
        for part in where.parts[:-1]:
            below = _below(fd, part)
            os.close(fd)
            fd = below
        yield fd
    finally:
        os.close(fd)


def _below(fd: int, part: str) -> int:
    try:
        return os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=fd)
    except NotADirectoryError:
        raise PathRefused(f"{part!r:.200} is no folder, or a symbolic link") from None
