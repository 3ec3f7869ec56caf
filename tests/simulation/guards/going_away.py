"""Guards of the store away, and nodes that leave (rules 12 and 13)."""

from __future__ import annotations

from shardkeeper.domain.planner.beating import Beating
from shardkeeper.domain.planner.closing import Closing
from shardkeeper.domain.planner.lifecycle import Lifecycle
from shardkeeper.domain.planner.settings import PlannerSettings
from shardkeeper.node.works.outcomes import OutcomesWork
from shardkeeper.simulation import sim_node
from tests.simulation.habits import common
from tests.simulation.habits import of_nodes as nodes
from tests.simulation.mutations import Mutation
from tests.simulation.stories import of_nodes, of_stores

GUARDS: tuple[Mutation, ...] = (
    Mutation(
        "12",
        "outcomes wait for the store",
        "endings",
        5,
        patches=((OutcomesWork, "run", nodes.drops_what_is_not_answered),),
    ),
    Mutation(
        "12",
        "and lie in the journal meanwhile",
        "journal",
        of_stores.a_process_that_dies_with_outcomes_nobody_took,
        patches=((OutcomesWork, "dropped", common.no),),
    ),
    Mutation(
        "12",
        "which is replayed before joining",
        "journal",
        of_stores.a_process_that_dies_with_outcomes_nobody_took,
        patches=((sim_node, "replay", common.no),),
    ),
    Mutation(
        "12",
        "a store that is back is looked back in",
        "calm",
        of_stores.the_store_is_away_for_a_moment,
        patches=((Beating, "_store_found", nodes.finds_the_store_without_looking_back),),
    ),
    Mutation(
        "12",
        "`on_lease_loss = stop`",
        "zombies",
        of_stores.a_holder_that_is_cut_off,
        patches=((Beating, "lease_ends", common.nothing),),
    ),
    Mutation(
        "13",
        "a draining node goes on until the others know",
        "calm",
        of_nodes.a_drain_without_the_coordinator,
        patches=((PlannerSettings, "handover_s", nodes.at_once),),
    ),
    Mutation(
        "13",
        "then it takes nothing more",
        "leases",
        of_nodes.a_drain_without_the_coordinator,
        patches=((Lifecycle, "handed_over", common.nothing),),
    ),
    Mutation(
        "13",
        "it keeps beating",
        "leases",
        of_nodes.a_leave_while_a_task_runs,
        patches=((Beating, "due", nodes.beats_until_it_drains),),
    ),
    Mutation(
        "13",
        "what it must stop goes back",
        "attempts",
        of_nodes.a_leave_that_does_not_wait_for_its_task,
        patches=((Closing, "_decide", nodes.stops_what_it_should_give_back),),
    ),
)
