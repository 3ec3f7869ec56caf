"""Whose what lies in the pipe is, when the worker asks for an attempt's log before its reading thread has come by."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing

import pytest

from shardkeeper.workers.capture import Capture, MemoryTail
from shardkeeper.workers.page import Page, new_page


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)
    os.close(writing)


@pytest.fixture
def page() -> Iterator[Page]:
    fd = new_page(slots=1)
    with closing(Page(fd)) as page:
        os.close(fd)
        yield page


def test_the_log_of_an_attempt_alone_has_what_is_still_in_the_pipe(pipe: tuple[int, int], page: Page) -> None:
    capture = Capture(page, pipe[0])
    os.write(pipe[1], b"from C\n")
    assert capture.text(()) == "from C\n"


def test_what_is_in_the_pipe_is_nobodys_of_those_that_share_a_process(
    pipe: tuple[int, int], page: Page
) -> None:
    capture = Capture(page, pipe[0])
    capture.begin(MemoryTail())
    capture.write(b"mine\n")
    os.write(pipe[1], b"from C\n")
    assert capture.text(()) == "mine\n"
    capture.begin(None)
    assert capture.text(()) == "from C\n"
