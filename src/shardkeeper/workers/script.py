"""Kind ``script``: a file of an allowed folder, run directly, never through a shell, in a process group of its own."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from shardkeeper.task import DistributeTask, ShardContext
from shardkeeper.workers.attempt import Attempt
from shardkeeper.workers.imports import Declined, file_version
from shardkeeper.workers.jsontext import TooLarge

_ENV_LIMIT = 32_768
_CHUNK = 65_536


class ScriptFailed(Exception):
    """The script did not end with exit code 0."""


def prepare(attempt: Attempt) -> tuple[Callable[[], DistributeTask], str | None]:
    """Raises Declined when the script is not one of the allowed folders' or cannot be executed."""
    path = _allowed_path(attempt.order["entrypoint"], attempt.around.script_dirs)
    return partial(_Script, attempt, path), file_version(path)


def _allowed_path(name: str, folders: tuple[str, ...]) -> Path:
    if not name or "/" in name or "\0" in name or name in (".", ".."):
        raise Declined(f"{name!r:.200} is no file name in an allowed folder")
    for folder in folders:
        path = Path(folder) / name
        if not path.is_file():
            continue
        if path.resolve().parent != Path(folder).resolve():
            raise Declined(f"the script {name} leads out of its folder")
        if not os.access(path, os.X_OK):
            raise Declined(f"the script {name} is not executable")
        return path.resolve()
    raise Declined(f"the script {name!r:.200} is in none of tasks.script_dirs of this node")


class _Script(DistributeTask):
    def __init__(self, attempt: Attempt, path: Path) -> None:
        self._attempt = attempt
        self._path = path

    def initialize(self, context: ShardContext) -> list[str]:
        arguments = context.parameters.get("args", [])
        if not isinstance(arguments, list):
            raise TypeError("parameters.args of a script is a list")
        return [str(self._path), *map(str, arguments)]

    def calculate(self, context: ShardContext, data: list[str]) -> Any:
        limit: int = self._attempt.order["result_limit"]
        code, last_line = self._run(data, limit)
        if code != 0:
            # a script that was told to stop by SIGTERM did so
            self._attempt.cancelled()
            raise ScriptFailed(_reason(self._path.name, code))
        if len(last_line) > limit:
            raise TooLarge(f"the last line is too large: more than {limit} bytes")
        with contextlib.suppress(ValueError, RecursionError):
            return json.loads(last_line)
        return None

    def _run(self, argv: list[str], limit: int) -> tuple[int, bytes]:
        with _document(self._attempt.context) as stdin:
            process = subprocess.Popen(
                argv,
                stdin=stdin,
                stdout=subprocess.PIPE,
                env={**os.environ, **_variables(self._attempt.context)},
                start_new_session=True,
            )
        self._attempt.on_stop = partial(_signal_group, process.pid, signal.SIGTERM)
        try:
            if self._attempt.stop_asked:
                self._attempt.on_stop()
            last_line = self._read(process, limit)
            return process.wait(), last_line
        finally:
            # its group outlives the script when it has left children
            _signal_group(process.pid, signal.SIGKILL)
            self._attempt.on_stop = None
            process.wait()
            if process.stdout is not None:
                process.stdout.close()

    def _read(self, process: subprocess.Popen[bytes], limit: int) -> bytes:
        """Until the script itself has ended, whoever else holds its output.

        Returns its last line; one longer than ``limit`` bytes is cut to a little more than that.
        """
        assert process.stdout is not None
        output = process.stdout.fileno()
        os.set_blocking(output, False)
        ended = os.pidfd_open(process.pid)
        poll = select.poll()
        poll.register(output, select.POLLIN)
        poll.register(ended, select.POLLIN)
        kept = bytearray()
        try:
            while True:
                ready = {fd for fd, _ in poll.poll()}
                if output in ready and not self._take(output, kept, limit):
                    poll.unregister(output)
                if ended in ready:
                    while self._take(output, kept, limit):
                        pass
                    return bytes(kept).rstrip().rpartition(b"\n")[2]
        finally:
            os.close(ended)

    def _take(self, output: int, kept: bytearray, limit: int) -> bool:
        try:
            data = os.read(output, _CHUNK)
        except BlockingIOError:
            return False
        if not data:
            return False
        self._attempt.around.capture.write(data)
        kept += data
        # the last line and the line ends behind it
        if len(kept) > 2 * limit + _CHUNK:
            del kept[: len(kept) - limit - 64]
        return True


def _reason(name: str, code: int) -> str:
    if code < 0:
        return f"{name} was killed by {signal.Signals(-code).name}"
    return f"{name} ended with exit code {code}"


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


@contextlib.contextmanager
def _document(context: Mapping[str, Any]) -> Any:
    fd = os.memfd_create("shardkeeper-context")
    try:
        with open(fd, "wb", closefd=False) as file:
            file.write(json.dumps(context).encode())
        os.lseek(fd, 0, os.SEEK_SET)
        yield fd
    finally:
        os.close(fd)


def _variables(context: Mapping[str, Any]) -> dict[str, str]:
    """``SHARDKEEPER_ITEM`` and so on: texts and numbers as they are, the rest as JSON; the very long only on stdin."""
    variables = {}
    for name, value in context.items():
        text = "" if value is None else value if isinstance(value, str) else json.dumps(value)
        if len(text) <= _ENV_LIMIT and "\0" not in text:
            variables[f"SHARDKEEPER_{name.upper()}"] = text
    return variables
