"""Guards of orders and limits (rules 15 and 16)."""

from __future__ import annotations

from shardkeeper.domain.planner.beating import Beating
from shardkeeper.memory import orders
from shardkeeper.memory.authoring import Author
from tests.simulation import mutants
from tests.simulation.habits import common
from tests.simulation.habits import of_work as work
from tests.simulation.mutations import Mutation
from tests.simulation.stories import of_jobs

GUARDS: tuple[Mutation, ...] = (
    Mutation(
        "15", "stop is looked at by claim, retry, takeover, release", "attempts", 1, mutants.StopIsNoColumn
    ),
    Mutation(
        "15",
        "stop closes what is PENDING at once",
        "endings",
        1,
        patches=((orders, "stop_run", work.asks_to_stop_and_leaves_it),),
    ),
    Mutation(
        "15",
        "whoever holds it obeys",
        "zombies",
        of_jobs.a_run_that_people_stop,
        patches=((Beating, "_obey_stops", common.nothing),),
    ),
    Mutation(
        "15",
        "what was claimed outlives its job",
        "endings",
        of_jobs.a_job_deleted_while_a_run_waits_for_another,
        mutants.DeletionClosesAll,
    ),
    Mutation(
        "15",
        "what was never claimed goes with its job",
        "endings",
        of_jobs.a_job_deleted_while_a_run_waits_for_another,
        mutants.DeletionClosesNothing,
    ),
    Mutation(
        "15", "no edit ends a pause", "fires", 1, patches=((Author, "put_job", work.edited_and_resumed),)
    ),
    Mutation("16", "limits shared by nodes hold", "limits", 2, mutants.LimitsHaveRoomForOneMore),
)
