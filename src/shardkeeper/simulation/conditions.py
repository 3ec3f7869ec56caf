"""The numbers of one simulated world. Seconds, unless said otherwise."""

from __future__ import annotations

from dataclasses import dataclass

from shardkeeper.domain.planner.settings import PlannerSettings
from shardkeeper.simulation.machine_plan import MachinePlan


@dataclass(frozen=True, slots=True)
class Conditions:
    """Windows are shorter than in life, so that one run of a seed sees many sweeps, and pieces smaller, so that its few
    jobs do not fit into one."""

    session_timeout_s: float = 6.0
    lease_s: float = 4.0
    on_time_window_s: float = 8.0
    duty_s: float = 6.0
    sweep_period_s: float = 2.0
    housekeeping_period_s: float = 30.0
    poll_s: float = 15.0
    grace_s: float = 5.0
    unrunnable_after_s: float = 12.0
    ahead_s: float = 0.1
    create_period_s: float = 0.02
    create_piece: int = 1
    fire_piece: int = 2
    look_back_piece: int = 5
    take_up_piece: int = 2

    def planner(self, plan: MachinePlan) -> PlannerSettings:
        """The planner's settings on a machine."""
        return PlannerSettings(
            plan.node_id,
            lease_s=self.lease_s,
            on_time_window_s=self.on_time_window_s,
            weight=plan.weight,
            labels=plan.labels,
            unrunnable_after_s=self.unrunnable_after_s,
            ahead_s=self.ahead_s,
            create_period_s=self.create_period_s,
            create_piece=self.create_piece,
            fire_piece=self.fire_piece,
            look_back_piece=self.look_back_piece,
            take_up_piece=self.take_up_piece,
        )
