"""Tasks that go wrong in every way, at the item given as the parameter ``ill_item``."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
from typing import Any

from shardkeeper import CalculateValue, DistributeTask, ShardContext, ValidationError


class Ill(DistributeTask):
    """The way is the parameter ``way``: the name of a method below. Every other item publishes one value."""

    def calculate(self, context: ShardContext, data: None) -> Any:
        if self.is_ill(context):
            return getattr(self, context.parameters["way"])()
        return [CalculateValue("total", 100)]

    def validate_calculation(self, context: ShardContext, values: Any) -> None:
        if isinstance(values, list) and values[0].value != 100:
            raise ValidationError("the total is 99, not 100")

    def is_ill(self, context: ShardContext) -> bool:
        return context.item == context.parameters.get("ill_item")

    def raises(self) -> None:
        raise RuntimeError("no such feed")

    def refused(self) -> list[CalculateValue]:
        return [CalculateValue("total", 99)]

    def hangs(self) -> None:
        threading.Event().wait()

    def deaf(self) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        never = threading.Event()
        while True:
            try:
                never.wait(0.1)
            except BaseException:  # noqa: BLE001 # it hears nothing, that is the point
                continue

    def segfaults(self) -> None:
        ctypes.string_at(0)

    def exits(self) -> None:
        os._exit(0)

    def not_json(self) -> object:
        return {1, 2, 3}
