"""Tasks as people submit them, each telling the witness file what it did."""

from __future__ import annotations

import os
import signal
import threading

from witnessing import hold, tell

from shardkeeper import Cancel, DistributeTask, RetryLater, ShardContext

STEPS = 10


class Steps(DistributeTask):
    """Ten steps, with a checkpoint after each. At the step given as the parameter ``holds_at`` the first attempt says
    so and holds for ever.
    """

    def calculate(self, context: ShardContext, data: None) -> int:
        for step in range(context.checkpoint.get("done", 0) + 1, STEPS + 1):
            tell(context, "step", step=step)
            if context.attempt == 1 and step == context.parameters.get("holds_at"):
                threading.Event().wait()
            context.save_checkpoint({"done": step})
        return STEPS


class Short(DistributeTask):
    """Takes as long as the parameter ``seconds`` says, and tells when it began and when it ended."""

    def calculate(self, context: ShardContext, data: None) -> None:
        tell(context, "began")
        threading.Event().wait(context.parameters.get("seconds", 0.0))
        tell(context, "ended")


class Poison(DistributeTask):
    """Kills its worker while the parameter ``deadly`` is true."""

    def calculate(self, context: ShardContext, data: None) -> str:
        tell(context, "began")
        if context.parameters["deadly"]:
            os.kill(os.getpid(), signal.SIGKILL)
        return "harmless"


class Progressing(DistributeTask):
    """Tells how far it is, then holds while its gate is shut."""

    def calculate(self, context: ShardContext, data: None) -> None:
        context.progress(0.25, "a quarter of the pages")
        tell(context, "began")
        hold(context)


class Changing(DistributeTask):
    """What it raises is the parameter ``raises`` for the first time, and nothing afterwards."""

    def calculate(self, context: ShardContext, data: None) -> int:
        tell(context, "began")
        again = context.checkpoint.get("seen", 0)
        context.save_checkpoint({"seen": again + 1})
        if again == 0:
            self.refuse(context)
        return context.attempt

    def refuse(self, context: ShardContext) -> None:
        way = context.parameters["raises"]
        if way == "later":
            raise RetryLater(0.1)
        if way == "cancel":
            raise Cancel("nobody wants it any more")
        threading.Event().wait()


class Charging(DistributeTask):
    """Does something outside that has to be undone, then fails as the parameter ``fails`` says."""

    def calculate(self, context: ShardContext, data: None) -> None:
        tell(context, "charged")
        if context.parameters.get("fails") == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        raise LookupError("the order is gone")

    def compensate(self, context: ShardContext) -> None:
        tell(context, "refunded")


class Adding(DistributeTask):
    """The parameter ``number``, or the results of the runs that it follows, added up and one more."""

    def calculate(self, context: ShardContext, data: None) -> int:
        before = context.parameters.get("follow_up", {})
        return 1 + sum(int(run["result"]) for run in before.values())
