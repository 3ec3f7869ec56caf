"""Tasks for the tests of the workers, imported by worker processes only. Parameters say the rest."""

from __future__ import annotations

import contextlib
import ctypes
import locale
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from shardkeeper import CalculateValue, Cancel, DistributeTask, RetryLater, ShardContext, ValidationError

KEPT: list[Any] = []
NEVER = threading.Event()


def _told(context: ShardContext, name: str) -> None:
    """Tell the test, by a file, that the task has come this far."""
    Path(context.parameters["dir"], name).write_text(str(os.getpid()))


class Simple(DistributeTask):
    """Returns parameters.returns."""

    def calculate(self, context: ShardContext, data: Any) -> Any:
        return context.parameters.get("returns")


class Evil(DistributeTask):
    """Returns the Python expression in parameters.expression."""

    def calculate(self, context: ShardContext, data: Any) -> Any:
        return eval(context.parameters["expression"], {"CalculateValue": CalculateValue})


class Report(DistributeTask):
    """What its process looks like."""

    def calculate(self, context: ShardContext, data: Any) -> Any:
        mask = os.umask(0)
        os.umask(mask)
        return {
            "pid": os.getpid(),
            "cwd": str(Path.cwd()),
            "umask": mask,
            "locale": locale.setlocale(locale.LC_ALL),
            "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
            "environment": "SPOILT" in os.environ,
            "threads": threading.active_count(),
            "fds": [os.fstat(fd).st_ino > 0 for fd in (0, 1, 2)],
        }


class Phases(DistributeTask):
    def initialize(self, context: ShardContext) -> Any:
        return {"sources": [source.location for source in context.sources]}

    def calculate(self, context: ShardContext, data: Any) -> Any:
        context.log.info("calculating %s", data["sources"])
        context.progress(0.5, "half")
        context.save_checkpoint({"at": 7})
        return [CalculateValue("a", 1, 2.0), CalculateValue("b", {"x": [1, 2]})]

    def validate_calculation(self, context: ShardContext, values: Any) -> None:
        if context.parameters.get("refuse"):
            raise ValidationError("out of bounds")


class Raises(DistributeTask):
    def calculate(self, context: ShardContext, data: Any) -> Any:
        match context.parameters["what"]:
            case "error":
                raise RuntimeError("no postgres://joe:hunter22@db/x today")
            case "long":
                raise RuntimeError("x" * 1_000_000)
            case "retry":
                raise RetryLater(7)
            case "retry in":
                raise RetryLater(float(context.parameters["seconds"]))
            case "spoilt retry":
                error = RetryLater(1)
                error.seconds = float(context.parameters["seconds"])
                raise error
            case "cancel":
                raise Cancel("nothing to do")
            case "exit":
                sys.exit(3)
            case "unprintable":
                raise Unprintable


class Unprintable(Exception):
    def __str__(self) -> str:
        raise ValueError("ha")


class Undoes(DistributeTask):
    """Can be compensated; parameters.calculate and parameters.compensate name what each does."""

    def calculate(self, context: ShardContext, data: Any) -> Any:
        self._do(context, "calculate")
        return "calculated"

    def compensate(self, context: ShardContext) -> None:
        _told(context, "compensating")
        context.save_checkpoint({"undone": True})
        self._do(context, "compensate")

    def _do(self, context: ShardContext, which: str) -> None:
        match context.parameters.get(which):
            case "raise":
                raise RuntimeError(f"{which} failed")
            case "die":
                os._exit(9)
            case "hang":
                _told(context, "hanging")
                NEVER.wait(600)


class Dies(DistributeTask):
    def calculate(self, context: ShardContext, data: Any) -> Any:
        sys.stdout.write("last words\n")
        os.write(1, b"and from C\n")
        match context.parameters["how"]:
            case "segfault":
                ctypes.string_at(0)
            case "exit 0":
                os._exit(0)
            case "exit 9":
                os._exit(9)
            case "SIGKILL":
                os.kill(os.getpid(), signal.SIGKILL)
            case "closes fds":
                os.closerange(0, 4096)
            case "reuses fds":
                os.closerange(3, 4096)
                KEPT.extend(socket.socketpair() for _ in range(200))
            case "abort":
                os.abort()


class Hangs(DistributeTask):
    """In parameters.phase, in the way of parameters.how."""

    def _hang(self, context: ShardContext, phase: str) -> None:
        if context.parameters.get("phase", "calculate") != phase:
            return
        how = context.parameters.get("how")
        if how == "ignores SIGTERM":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        elif how == "blocks signals":
            signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
        elif how == "holds the lock":
            _told(context, "hanging")
            ctypes.PyDLL(None).sleep(600)
        elif how == "swallows":
            _told(context, "hanging")
            while True:
                with contextlib.suppress(BaseException):
                    NEVER.wait(600)
        if context.parameters.get("child"):
            child = subprocess.Popen(["sleep", "600"], start_new_session=True)
            Path(context.parameters["dir"], "child").write_text(str(child.pid))
        _told(context, "hanging")
        if how == "polite":
            while not context.cancelled:
                NEVER.wait(0.01)
            context.save_checkpoint({"stopped": True})
            return
        if how == "thread":
            while True:
                NEVER.wait(0.01)
        try:
            NEVER.wait(600)
        finally:
            _told(context, "cleaned")

    def initialize(self, context: ShardContext) -> Any:
        self._hang(context, "initialize")

    def calculate(self, context: ShardContext, data: Any) -> Any:
        self._hang(context, "calculate")

    def validate_calculation(self, context: ShardContext, values: Any) -> None:
        self._hang(context, "validate")


class Waits(DistributeTask):
    """Until the file parameters.file is there; it never looks at context.cancelled."""

    def calculate(self, context: ShardContext, data: Any) -> Any:
        _told(context, f"waiting-{context.item}")
        while not Path(context.parameters["file"]).exists():
            NEVER.wait(0.01)
        return "done"


class Turns(DistributeTask):
    """Mostly over at once; parameters.do says otherwise."""

    def calculate(self, context: ShardContext, data: Any) -> Any:
        match context.parameters.get("do"):
            case "wait":
                _told(context, f"waiting-{context.item}")
                while not Path(context.parameters["file"]).exists():
                    NEVER.wait(0.005)
            case "hang":
                NEVER.wait(600)
            case "exit 9":
                os._exit(9)
            case "spoil":
                os.chdir("/")
        return context.parameters.get("returns")


class Leaks(DistributeTask):
    def calculate(self, context: ShardContext, data: Any) -> Any:
        kept = []
        while True:
            kept.append(bytearray(4 << 20))


class Leaves(DistributeTask):
    """Leaves children behind; returns their process ids."""

    def calculate(self, context: ShardContext, data: Any) -> Any:
        same = subprocess.Popen(["sleep", "600"])
        away = subprocess.Popen(["sleep", "600"], start_new_session=True)
        orphan = subprocess.run(
            ["sh", "-c", "setsid sleep 600 > /dev/null & echo $!"], stdout=subprocess.PIPE, check=True
        )
        pids = [same.pid, away.pid, int(orphan.stdout)]
        if context.parameters.get("dies"):
            Path(context.parameters["dir"], "pids").write_text(" ".join(map(str, pids)))
            os._exit(5)
        return pids


class Forks(DistributeTask):
    """Its forked child comes back from the task like a worker of its own."""

    def calculate(self, context: ShardContext, data: Any) -> Any:
        # the C library's own fork runs none of Python's hooks
        fork = os.fork if context.parameters["by"] == "Python" else ctypes.PyDLL(None).fork
        pid = fork()
        if pid == 0:
            context.progress(0.1, "child")
            return "child"
        # the child comes back first, and ends
        os.waitpid(pid, 0)
        return "parent"


class Alternates(DistributeTask):
    """From C and from Python in turns."""

    def calculate(self, context: ShardContext, data: Any) -> Any:
        for number in range(200):
            os.write(1, b"C %d\n" % number)
            sys.stdout.write(f"P {number}\n")


class Prints(DistributeTask):
    def calculate(self, context: ShardContext, data: Any) -> Any:
        line = "y" * 1023 + "\n"
        for _ in range(context.parameters["python_mb"] * 1024):
            sys.stdout.write(line)
        subprocess.run(["sh", "-c", f"yes | head -c {context.parameters['shell_mb']}000000"], check=True)
        sys.stdout.write("the end\n")


class Spoils(DistributeTask):
    def calculate(self, context: ShardContext, data: Any) -> Any:
        match context.parameters["what"]:
            case "cwd":
                os.chdir("/")
            case "umask":
                os.umask(0)
            case "locale":
                locale.setlocale(locale.LC_ALL, "C.UTF-8" if locale.setlocale(locale.LC_ALL) == "C" else "C")
            case "signal mask":
                signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR1})
            case "handlers":
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
            case "environment":
                os.environ["SPOILT"] = "1"
            case "thread":
                threading.Thread(target=NEVER.wait, args=(600,), daemon=True).start()
            case "stdout":
                os.close(1)
            case "limits":
                resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        return os.getpid()


class Nothing:
    """Not a DistributeTask."""
