"""`shardkeeper agent`: the daemon."""

from __future__ import annotations

import logging
import signal
from types import FrameType

import click

from shardkeeper.node.compose import make_daemon
from shardkeeper.node.compose_operations import (
    check_schema,
    configure_log,
    read_settings,
    tune_interpreter,
)
from shardkeeper.node.daemon import Defect


@click.command()
def agent() -> None:
    """Run a node until it is told to stop.

    SIGTERM (or Ctrl-C): hand over, end what runs within the grace period, exit 0. A second one: give back what runs at
    once. SIGHUP: new worker processes, so that new task code is taken up.
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # there is nothing to renew yet, and its default is to kill
    settings = read_settings()
    configure_log(settings)
    check_schema(settings)
    daemon = make_daemon(settings)
    tune_interpreter()

    def stop(number: int, frame: FrameType | None) -> None:
        daemon.stop()

    def recycle(number: int, frame: FrameType | None) -> None:
        daemon.recycle()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGHUP, recycle)
    try:
        daemon.run()
    except Defect as defect:
        if defect.__cause__ is not None:
            logging.getLogger("shardkeeper").critical(
                "a part broke; the node ends", exc_info=defect.__cause__
            )
        raise
