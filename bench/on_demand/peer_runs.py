"""One peer, driven through the same rounds as ours."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from bench.figures import drain_rates, percentile
from bench.on_demand.contenders import Unavailable
from bench.on_demand.options import Options
from bench.on_demand.peer import Peer
from bench.on_demand.rows import Round
from bench.on_demand.venvs import python_with
from bench.peers.driver import READY
from bench.processors import Shares
from bench.subprocesses import STOP_TIMEOUT_S, end

ROOT = Path(__file__).parents[2]
COMMAND_TIMEOUT_S = 300.0


@dataclass(frozen=True)
class Server:
    """What a peer keeps its tasks in. ``analyze``: renews what its planner goes by, alike for all."""

    kind: str
    url: str
    pid: int
    analyze: Callable[[], object]
    versions: Sequence[str] = ()
    """What is said of it beside the peer's packages."""


class PeerContender:
    """One peer in its environment (``python``), its schema made."""

    def __init__(self, peer: Peer, server: Server, folder: Path, options: Options) -> None:
        self.name = peer.name
        self.isolation = peer.isolation
        self.notes = (", ".join((*peer.requirements, *server.versions)), *peer.notes)
        self._peer = peer
        self._server = server
        self._board = folder / "peer-board"
        self._options = options
        self._environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self._python = python_with(peer.module.rpartition(".")[2], peer.requirements)
        self._ask("install")

    def round(self) -> Round:
        figures = self._submissions()
        drained, cores = self._drain()
        return Round(figures | drained | self._pick_up(), cores)

    def _submissions(self) -> dict[str, float]:
        singles, bulk = self._options.singles, self._options.tasks - self._options.singles
        figures = {"submit_per_s": singles / self._ask("submit", count=singles)}
        seconds = self._ask("submit-many", count=bulk)
        if self._peer.bulk:
            figures["bulk_per_s"] = bulk / seconds
        return figures

    def _drain(self) -> tuple[dict[str, float], dict[str, float]]:
        self._server.analyze()
        since = time.time()
        with self._workers("drain", stdout=subprocess.PIPE) as workers:
            for worker in workers:
                assert worker.stdout is not None
                if worker.stdout.readline().strip() != READY:
                    self._fail(worker)
            shares = Shares(self._pids(workers)).begin()
            answers = [self._answer(worker) for worker in workers]
            seconds = shares.seconds()
        answers = [recorded] if (recorded := self._ask("recorded", since=since)) else answers
        began = min(at for at, _ in answers if at)
        ended = [at for _, some in answers for at in some]
        if len(ended) != self._options.tasks:
            raise Unavailable(f"{len(ended)} of {self._options.tasks} tasks ended")
        rates = drain_rates(began, ended)
        # starting and ending take their time, but hardly the processor's
        cores = {kind: spent / (max(ended) - began) for kind, spent in seconds.items()}
        return {"whole_per_s": rates.whole, "steady_per_s": rates.steady}, cores

    def _pick_up(self) -> dict[str, float]:
        with self._workers("work", stdout=subprocess.DEVNULL):
            samples = self._ask("pick-ups", count=self._options.samples)
        return {"p50_ms": percentile(samples, 0.5), "p99_ms": percentile(samples, 0.99)}

    def _pids(self, workers: Sequence[subprocess.Popen[str]]) -> Mapping[str, Sequence[int]]:
        return {"workers": [worker.pid for worker in workers], self._server.kind: [self._server.pid]}

    def _answer(self, worker: subprocess.Popen[str]) -> Any:
        """The last line of a worker that drains, as soon as it stands there; the process may take its time to end."""
        assert worker.stdout is not None
        line = worker.stdout.readline()
        if not line:
            self._fail(worker)
        return json.loads(line)

    def _fail(self, worker: subprocess.Popen[str]) -> NoReturn:
        raise Unavailable(f"a worker ended with {worker.wait(STOP_TIMEOUT_S)}")

    @contextmanager
    def _workers(self, command: str, stdout: int) -> Iterator[list[subprocess.Popen[str]]]:
        with ExitStack() as stack:
            started = []
            for _ in range(self._peer.processes):
                worker = subprocess.Popen(
                    self._argv(command),
                    env=self._environment,
                    stdout=stdout,
                    stderr=subprocess.DEVNULL,
                    text=True,
                )
                stack.callback(end, worker)
                started.append(worker)
            yield started

    def _ask(self, command: str, **values: float) -> Any:
        try:
            done = subprocess.run(
                self._argv(command, **values),
                env=self._environment,
                check=True,
                capture_output=True,
                text=True,
                timeout=COMMAND_TIMEOUT_S,
            )
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"{command} did not end within {error.timeout:g} s") from error
        except subprocess.CalledProcessError as error:
            raise Unavailable(f"{command} failed: {error.stderr.strip().splitlines()[-1:]}") from error
        return json.loads(done.stdout.splitlines()[-1])

    def _argv(self, command: str, **values: float) -> list[str]:
        options = [part for name, value in values.items() for part in (f"--{name}", str(value))]
        board = ["--board", str(self._board)]
        program = [str(self._python), "-m", self._peer.module, command]
        return [*program, "--url", self._server.url, *board, *options, *self._peer.arguments]
