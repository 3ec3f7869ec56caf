"""Guards of outcomes, retries and what follows (rules 5 and 6)."""

from __future__ import annotations

from shardkeeper.domain.planner import closing as node_closing
from shardkeeper.domain.planner.holdings import Holdings
from shardkeeper.memory import closing, leases
from tests.simulation import mutants
from tests.simulation.habits import common
from tests.simulation.habits import of_nodes as nodes
from tests.simulation.mutations import Mutation
from tests.simulation.stories import of_nodes

GUARDS: tuple[Mutation, ...] = (
    Mutation("5", "only the holder records an outcome", "attempts", 5, mutants.AnybodyRecords),
    Mutation("5", "a repeated outcome is a success", "attempts", 8, mutants.RepeatsAreUnknown),
    Mutation("5", "the counter of open items closes the run", "endings", 1, mutants.RunsCloseEarly),
    Mutation("5", "COMPLETED clears the checkpoint", "attempts", 1, mutants.CheckpointsStay),
    Mutation("5, 6", "the next attempt goes on from the checkpoint", "witnesses", 1, mutants.BegunAfresh),
    Mutation(
        "5", "a run that failed alerts", "alerts", 1, patches=((closing, "alert_of_failure", common.no),)
    ),
    Mutation(
        "5",
        "a run that closes gives up its job's place",
        "endings",
        1,
        patches=((closing, "release_live_run", common.no),),
    ),
    Mutation("5", "a follow-up waits for all that it follows", "follow_ups", 5, mutants.GatesOpenAtTheFirst),
    Mutation("5", "what failed for good is rolled back", "follow_ups", 1, mutants.NothingIsRolledBack),
    Mutation("5", "it is rolled back once", "follow_ups", 1, mutants.RolledBackForEver),
    Mutation(
        "5",
        "a claim that is over is never begun again",
        "witnesses",
        21,
        patches=((Holdings, "is_over", common.never),),
    ),
    Mutation("6", "`max_attempts`", "attempts", 2, mutants.RetriedForEver),
    Mutation(
        "6",
        "a node asks for the next try",
        "attempts",
        1,
        patches=((node_closing, "retry_after", common.no),),
    ),
    Mutation("6, 7", "`max_takeovers`, failover, each_node, stop", "attempts", 1, mutants.ReissuedForEver),
    Mutation(
        "6",
        "each takeover counts",
        "attempts",
        of_nodes.a_run_whose_holders_die,
        patches=((leases, "next_attempt", nodes.lost_for_nothing),),
    ),
    Mutation(
        "6", "a takeover is no try", "attempts", 23, patches=((leases, "next_attempt", nodes.lost_is_tried),)
    ),
    Mutation("6", "what is lost gets its next attempt", "attempts", 1, mutants.NothingIsReissued),
    Mutation(
        "6",
        "what is given back counts nothing",
        "attempts",
        of_nodes.a_leave_that_does_not_wait_for_a_task_that_fails,
        mutants.GivingBackIsATry,
    ),
)
