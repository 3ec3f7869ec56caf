"""Guards of leases and takeovers (rule 7)."""

from __future__ import annotations

from shardkeeper.domain.planner.actions import HaltAll, TakeOver
from shardkeeper.domain.planner.beating import Beating
from shardkeeper.domain.planner.lifecycle import Lifecycle
from shardkeeper.domain.planner.watch import LeaseWatch
from shardkeeper.memory import leases
from shardkeeper.memory.leases import MemoryLeases
from tests.simulation import mutants
from tests.simulation.habits import common
from tests.simulation.habits import of_nodes as nodes
from tests.simulation.mutations import Mutation
from tests.simulation.stories import of_nodes, of_stores

GUARDS: tuple[Mutation, ...] = (
    Mutation(
        "7",
        "a whole lease is watched before a takeover",
        "leases",
        1,
        patches=((LeaseWatch, "_unchanged", common.yes),),
    ),
    Mutation(
        "7",
        "a gap in the readings begins the watch anew",
        "leases",
        of_stores.the_store_is_away_for_longer_than_a_lease,
        patches=((LeaseWatch, "read", nodes.gaps_do_not_matter),),
    ),
    Mutation(
        "7",
        "takeover compares and sets the beat",
        "leases",
        of_stores.a_takeover_that_arrives_late,
        mutants.BeatsDoNotMatter,
    ),
    Mutation(
        "7",
        "who is taken over is dead for good",
        "leases",
        1,
        patches=((MemoryLeases, "take_over", nodes.dead_for_a_moment),),
    ),
    Mutation(
        "7", "all that it held is moved", "endings", 1, patches=((leases, "_lose", nodes.loses_one_item),)
    ),
    Mutation("7", "no second life of a node_id", "leases", 1, mutants.TwoOfOneName),
    Mutation(
        "7",
        "a new life takes over its predecessor",
        "endings",
        1,
        patches=((Lifecycle, "join_answered", common.without("join_answered", TakeOver)),),
    ),
    Mutation(
        "7",
        "who finds itself dead begins anew",
        "leases",
        of_nodes.a_holder_that_is_paused,
        patches=((Lifecycle, "found_dead", common.nothing),),
    ),
    Mutation(
        "7",
        "and ends what it ran",
        "zombies",
        of_nodes.a_holder_that_is_paused,
        patches=((Lifecycle, "found_dead", common.without("found_dead", HaltAll)),),
    ),
    Mutation(
        "7",
        "the own lease counts from before the beat was sent",
        "zombies",
        of_stores.a_holder_that_is_cut_off_before_it_hears_of_its_beat,
        patches=((Beating, "_keep_lease", nodes.keeps_its_lease_from_the_answer),),
    ),
    Mutation(
        "7",
        "RUNNING rows are reconciled at each beat",
        "endings",
        of_stores.a_claim_whose_answer_is_lost,
        patches=((Beating, "_reconcile", common.nothing),),
    ),
    Mutation(
        "7",
        "and what was pulled unheard",
        "endings",
        of_stores.a_pull_whose_answer_is_lost,
        patches=((Beating, "_reconcile", common.nothing),),
    ),
    Mutation(
        "7",
        "two readings in a row must agree",
        "zombies",
        3,
        patches=((Beating, "_reconcile", nodes.believes_one_reading),),
    ),
)
