"""Guards of creating runs (rule 3)."""

from __future__ import annotations

from shardkeeper.domain.attempts import Creation
from shardkeeper.domain.planner.creating import Creating
from shardkeeper.domain.planner.creation_queue import CreationQueue
from shardkeeper.memory import creation
from tests.simulation import mutants
from tests.simulation.habits import of_work as work
from tests.simulation.mutations import Mutation
from tests.simulation.stories import of_jobs, of_nodes

GUARDS: tuple[Mutation, ...] = (
    Mutation("3", "no run before the fire time", "fires", 9, mutants.CreatedEarly),
    Mutation(
        "3",
        "what was too early is asked for again",
        "calm",
        of_jobs.clocks_that_are_ahead,
        patches=((Creating, "_go_on", work.deaf_to(Creation.EARLY)),),
    ),
    Mutation("3", "on-time creation only within the window", "fires", 5, mutants.CreatedWhenOld),
    Mutation("3, 9", "one run per fire", "fires", 1, mutants.CreatedTwice),
    Mutation(
        "3",
        "a run is created with all its items",
        "attempts",
        1,
        patches=((creation, "insert_run", work.without_the_last_item),),
    ),
    Mutation(
        "3",
        "what there is no room for is created all the same",
        "calm",
        53,
        patches=((CreationQueue, "due", work.waits_for_room_for_ever),),
    ),
    Mutation(
        "3",
        "other owners create what the first did not",
        "calm",
        of_nodes.a_creator_that_hangs,
        patches=((Creating, "_go_on", work.deaf_to(Creation.ABSENT)),),
    ),
    Mutation(
        "3",
        "the version that the creator went by is in force",
        "fires",
        of_jobs.an_edit_that_no_node_has_heard_of,
        mutants.AnyVersionWillDo,
    ),
    Mutation(
        "3",
        "not in force: read the job again",
        "calm",
        of_jobs.an_edit_that_no_node_has_heard_of,
        patches=((Creating, "_go_on", work.deaf_to(Creation.NOT_IN_FORCE)),),
    ),
)
