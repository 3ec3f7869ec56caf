"""Guards of the sweep, and one live run per job (rules 9 and 10)."""

from __future__ import annotations

from shardkeeper.domain import accounting
from shardkeeper.domain.specs import Misfire
from shardkeeper.memory import creation, sweep
from shardkeeper.memory.sweep import MemorySweep
from shardkeeper.node.known_specs import KnownSpecs
from tests.simulation import mutants
from tests.simulation.habits import common
from tests.simulation.habits import of_work as work
from tests.simulation.mutations import Mutation

GUARDS: tuple[Mutation, ...] = (
    Mutation("9", "the sweep", "endings", 1, patches=((MemorySweep, "sweep_begin", common.no),)),
    Mutation("9", "it stays behind what is on time", "fires", 7, mutants.SweptToThisDay),
    Mutation(
        "9", "the watermark moves when the last slice is done", "fires", 2, mutants.WatermarkMovesAtOnce
    ),
    Mutation(
        "9", "a run that exists is never MISSED", "fires", 1, patches=((sweep, "_existing", common.nothing),)
    ),
    Mutation(
        "9",
        "a job is left out only where nothing of it is due",
        "fires",
        1,
        patches=((KnownSpecs, "with_fires", common.nothing),),
    ),
    Mutation(
        "9",
        "the misfire policy lets run",
        "fires",
        1,
        patches=((accounting, "account", work.accounts_by(Misfire.SKIP)),),
    ),
    Mutation(
        "9",
        "the misfire policy skips",
        "fires",
        2,
        patches=((accounting, "account", work.accounts_by(Misfire.ALL)),),
    ),
    Mutation("10", "one live run per job", "overlap", 1, patches=((creation, "take_live_run", common.yes),)),
    Mutation(
        "10",
        "`skip` and `replace` are decided at creation",
        "overlap",
        1,
        patches=((creation, "_in_the_way", common.no),),
    ),
    Mutation(
        "10", "`replace` stops the older run", "overlap", 1, patches=((creation, "_stop_older", common.no),)
    ),
    Mutation(
        "10",
        "orders neither take the place nor wait",
        "overlap",
        1,
        patches=((creation, "competes", common.yes),),
    ),
    Mutation("10", "the oldest of those that wait comes next", "overlap", 1, mutants.NewestIsNext),
)
