"""Drives one peer through the same rounds as ours."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.figures import drain_rates, medians, percentile
from bench.on_demand.options import Options
from bench.on_demand.peer import Peer
from bench.on_demand.rows import Row
from bench.on_demand.venvs import PeerUnavailable, python_with
from bench.peers.driver import READY
from bench.processors import Shares

ROOT = Path(__file__).parents[2]
COMMAND_TIMEOUT_S = 300.0
STOP_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class Server:
    """What a peer keeps its tasks in."""

    kind: str
    url: str
    pid: int


def measure_peer(
    peer: Peer, server: Server, folder: Path, options: Options, say: Callable[[str], None]
) -> Row:
    """Its row; one with a problem where it cannot be had or does not keep up."""
    try:
        python = python_with(peer.module.rpartition(".")[2], peer.requirements)
        return _Rounds(peer, server, python, folder, options).row(say)
    except PeerUnavailable as error:
        return Row(peer.name, peer.isolation, problem=str(error))
    except subprocess.TimeoutExpired as error:
        return Row(peer.name, peer.isolation, problem=f"did not end within {error.timeout:g} s")
    except subprocess.CalledProcessError as error:
        lines = str(error.stderr or "").strip().splitlines()
        return Row(peer.name, peer.isolation, problem=f"ended badly: {lines[-1] if lines else error}")


class _Rounds:
    def __init__(self, peer: Peer, server: Server, python: Path, folder: Path, options: Options) -> None:
        self._peer = peer
        self._server = server
        self._python = python
        self._board = folder / "peer-board"
        self._options = options
        self._environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    def row(self, say: Callable[[str], None]) -> Row:
        self._ask("install")
        rounds, cores = [], []
        for number in range(self._options.rounds):
            figures = self._submissions()
            drained, share = self._drain()
            figures |= drained | self._pick_up()
            rounds.append(figures)
            cores.append(share)
            told = "  ".join(f"{name} {figure:,.1f}" for name, figure in figures.items())
            say(f"{self._peer.name}, round {number + 1}: {told}")
        return Row(self._peer.name, self._peer.isolation, medians(rounds), medians(cores), self._peer.notes)

    def _submissions(self) -> dict[str, float]:
        singles, bulk = self._options.singles, self._options.tasks - self._options.singles
        figures = {"submit_per_s": singles / self._ask("submit", count=singles)}
        seconds = self._ask("submit-many", count=bulk)
        if self._peer.bulk:
            figures["bulk_per_s"] = bulk / seconds
        return figures

    def _drain(self) -> tuple[dict[str, float], dict[str, float]]:
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
            raise PeerUnavailable(f"{len(ended)} of {self._options.tasks} tasks ended")
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
        return json.loads(line) if line else self._fail(worker)

    def _fail(self, worker: subprocess.Popen[str]) -> Any:
        raise subprocess.CalledProcessError(worker.wait(STOP_TIMEOUT_S), worker.args)

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
                stack.callback(_end, worker)
                started.append(worker)
            yield started

    def _ask(self, command: str, **values: float) -> Any:
        done = subprocess.run(
            self._argv(command, **values),
            env=self._environment,
            check=True,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
        )
        return json.loads(done.stdout.splitlines()[-1])

    def _argv(self, command: str, **values: float) -> list[str]:
        options = [part for name, value in values.items() for part in (f"--{name}", str(value))]
        board = ["--board", str(self._board)]
        program = [str(self._python), "-m", self._peer.module, command]
        return [*program, "--url", self._server.url, *board, *options, *self._peer.arguments]


def _end(worker: subprocess.Popen[str]) -> None:
    if worker.poll() is None:
        worker.send_signal(signal.SIGTERM)
    try:
        worker.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()
    if worker.stdout is not None:
        worker.stdout.close()
