"""From an entrypoint to a task class, in the worker: refused before any import when it is not allowed."""

from __future__ import annotations

import hashlib
import importlib
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from shardkeeper.task import DistributeTask
from shardkeeper.workers.texts import message_of, traceback_of

BUILT_IN = "shardkeeper.tasks"
_ENTRYPOINT = re.compile(r"([A-Za-z]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z]\w*)", re.ASCII)


class Declined(Exception):
    """This node cannot run the entrypoint."""

    def __init__(self, message: str, trace: str | None = None) -> None:
        self.trace = trace
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A task class and the hash of the source file that it was loaded from."""

    task: type[DistributeTask]
    code_version: str | None


class Imports:
    """Task classes by entrypoint, each imported once in the life of a worker."""

    def __init__(self, allowed_modules: Iterable[str]) -> None:
        """``allowed_modules``: prefixes, matched at dots; the built-in tasks are always allowed."""
        self._allowed = (*allowed_modules, BUILT_IN)
        self._loaded: dict[str, Loaded] = {}

    def task(self, entrypoint: str, importing: Callable[[], None]) -> Loaded:
        """The class. ``importing`` is called before an import that may hang or exit. Raises Declined."""
        known = self._loaded.get(entrypoint)
        if known is not None:
            return known
        module_name, class_name = self._allowed_parts(entrypoint)
        importing()
        loaded = _load(entrypoint, module_name, class_name)
        self._loaded[entrypoint] = loaded
        return loaded

    @property
    def count(self) -> int:
        """Entrypoints imported so far."""
        return len(self._loaded)

    def _allowed_parts(self, entrypoint: str) -> tuple[str, str]:
        match = _ENTRYPOINT.fullmatch(entrypoint)
        if match is None or "__" in entrypoint:
            raise Declined(f"{entrypoint!r:.200} is no entrypoint: package.module:Class is")
        module_name, class_name = match.groups()
        if not any(module_name == prefix or module_name.startswith(prefix + ".") for prefix in self._allowed):
            raise Declined(f"module {module_name:.200} is outside tasks.allowed_modules of this node")
        return module_name, class_name


def _load(entrypoint: str, module_name: str, class_name: str) -> Loaded:
    try:
        module = importlib.import_module(module_name)
    except BaseException as error:  # noqa: BLE001 - a module may raise anything, SystemExit too
        reason = f"{type(error).__name__}: {message_of(error)}"
        raise Declined(f"{module_name} cannot be imported here: {reason}", traceback_of(error)) from None
    task = getattr(module, class_name, None)
    if task is None:
        raise Declined(f"{module_name} has no {class_name}")
    if not (isinstance(task, type) and issubclass(task, DistributeTask)) or task is DistributeTask:
        raise Declined(f"{entrypoint} is not a subclass of DistributeTask")
    return Loaded(task, _code_version(task.__module__))


def _code_version(module_name: str) -> str | None:
    file = getattr(sys.modules.get(module_name), "__file__", None)
    return file_version(Path(file)) if file else None


def file_version(path: Path) -> str | None:
    """The first twelve hexadecimal digits of a file's SHA-256."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    except OSError:
        return None
