"""The small file system of one node: full, and with room again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.faults.disk import SmallDisk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    try:
        made = SmallDisk(tmp_path / "small")
    except OSError as error:
        # nobody but root may mount, in CI too
        pytest.skip(str(error))
    with made:
        yield made


def test_what_lies_there_stays_while_nothing_can_be_added(disk: SmallDisk) -> None:
    journal = disk.folder / "journal"
    journal.write_bytes(b"line\n")
    disk.fill()
    with journal.open("ab", buffering=0) as file:
        file.write(bytes(10_000))  # what is left of the journal's own page
        with pytest.raises(OSError, match="No space left"):
            file.write(b"line\n")
    assert journal.read_bytes().startswith(b"line\n")
    disk.empty()
    (disk.folder / "another").write_bytes(bytes(10_000))


def test_nothing_is_left_mounted_also_while_a_file_is_open_in_it(disk: SmallDisk) -> None:
    with (disk.folder / "journal").open("wb"):
        disk.close()
        assert not disk.folder.is_mount()
    disk.close()
