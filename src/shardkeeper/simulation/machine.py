"""What faults and people do to one machine and to the process on it."""

from __future__ import annotations

from collections.abc import Callable

from shardkeeper.simulation.host import Host
from shardkeeper.simulation.sim_node import SimNode


class Machine:
    """At most one process at a time. ``number`` gives fresh process numbers."""

    def __init__(self, host: Host, number: Callable[[], int]) -> None:
        self.host = host
        self._number = number
        self.node: SimNode | None = None
        self.coordinator_cut = False
        self._restarts = False

    @property
    def name(self) -> str:
        return self.host.plan.name

    @property
    def running(self) -> bool:
        """Whether a process lives here, paused or not."""
        return self.node is not None

    @property
    def paused(self) -> bool:
        return self.node is not None and self.node.process.paused

    def start(self) -> None:
        """A fresh process, where none lives; where one is on its way out, as soon as it has left."""
        self._restarts = True
        if self.node is None:
            self._restarts = False
            self.node = SimNode(self.host, self._number(), self._gone)
            self._say(f"starts {self.node.name}")
            self.node.start()
            self._relink()

    def kill(self) -> None:
        """SIGKILL."""
        self._restarts = False
        if self.node is not None:
            self._say("killed")
            node, self.node = self.node, None
            node.kill()

    def pause(self) -> None:
        """SIGSTOP."""
        if self.node is not None and not self.node.process.paused:
            self._say("paused")
            self.node.process.pause()
            self._relink()

    def resume(self) -> None:
        """SIGCONT."""
        if self.node is not None and self.node.process.paused:
            self._say("resumed")
            self.node.process.resume()
            self._relink()

    def drain(self, grace_s: float) -> None:
        """SIGTERM."""
        self._restarts = False
        if self.node is not None:
            self._say(f"asked to leave within {grace_s:g} s")
            self.node.drain(grace_s)

    def step_clock(self, seconds: float) -> None:
        """Wall clock by so much, forward or back."""
        self._say(f"clock stepped by {seconds:+.1f} s")
        self.host.skew_s += seconds
        if self.node is not None:
            self.node.step_clock(seconds)

    def cut_store(self) -> None:
        """No call to the store is answered."""
        self._say("cut from the store")
        self.host.wire.cut()
        self._relisten()

    def heal_store(self) -> None:
        """The wire to the store is whole and quick."""
        self._say("store again")
        self.host.wire.heal()
        self._relisten()

    def cut_coordinator(self) -> None:
        """The link with ZooKeeper breaks."""
        self._say("cut from the coordinator")
        self.coordinator_cut = True
        self._relink()

    def heal_coordinator(self) -> None:
        """The link with ZooKeeper is whole."""
        self._say("coordinator again")
        self.coordinator_cut = False
        self._relink()

    def expire(self) -> None:
        """ZooKeeper ends the session."""
        if self.node is not None and self.node.coordination.snapshot is not None:
            self._say("session expired")
            self.host.world.ensemble.expire(self.node.coordinator)

    def heal(self) -> None:
        """Everything as it should be."""
        self.resume()
        self.heal_store()
        self.heal_coordinator()
        self.host.deaf = False
        self.host.cannot_run.clear()
        if self.host.skew_s:
            self.step_clock(-self.host.skew_s)
        self.start()

    def _relink(self) -> None:
        """A frozen process does not notice that its link is gone."""
        if self.node is None:
            return
        ensemble, client = self.host.world.ensemble, self.node.coordinator
        if self.paused:
            ensemble.freeze(client)
        elif self.coordinator_cut:
            ensemble.heal(client)
            ensemble.cut(client)
        else:
            ensemble.heal(client)

    def _relisten(self) -> None:
        if self.node is not None:
            self.node.listener.relisten()

    def _gone(self) -> None:
        self._say("has left")
        self.node = None
        if self._restarts:
            self.start()

    def _say(self, what: str) -> None:
        self.host.world.trace.add("nemesis", f"{self.name} {what}")
