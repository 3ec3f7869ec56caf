"""Guards of who owns what, and the coordinator away (rules 8 and 11)."""

from __future__ import annotations

from shardkeeper.domain.leases import LeaseState
from shardkeeper.domain.planner import membership
from shardkeeper.domain.planner.adoption import Adoption
from shardkeeper.domain.planner.beating import Beating
from shardkeeper.domain.planner.firing import Firing
from shardkeeper.domain.planner.membership import Membership
from shardkeeper.domain.planner.planner import Planner
from shardkeeper.node.node import Node
from tests.simulation.habits import common
from tests.simulation.habits import of_nodes as nodes
from tests.simulation.habits import of_work as work
from tests.simulation.mutations import Mutation
from tests.simulation.stories import of_jobs, of_nodes

GUARDS: tuple[Mutation, ...] = (
    Mutation(
        "8",
        "the dead are no members",
        "calm",
        of_nodes.a_node_that_dies_without_the_coordinator,
        patches=((Membership, "see_leases", nodes.counts_the(LeaseState.DEAD)),),
    ),
    Mutation(
        "8, 13",
        "those that drain are no members",
        "calm",
        of_nodes.a_drain_without_the_coordinator,
        patches=((Membership, "see_leases", nodes.counts_the(LeaseState.DRAINING)),),
    ),
    Mutation(
        "8",
        "a new owner looks back",
        "calm",
        of_nodes.a_node_that_dies,
        patches=((Beating, "_members", nodes.moves_without_looking_back),),
    ),
    Mutation(
        "8",
        "a version is looked back for from its stamp",
        "calm",
        of_jobs.news_that_is_late,
        patches=((Firing, "_look_at", common.nothing),),
    ),
    Mutation(
        "8", "PENDING attempts are looked at", "endings", 1, patches=((Adoption, "look", common.nothing),)
    ),
    Mutation(
        "8",
        "and again each second, whether or not anybody told",
        "endings",
        1,
        patches=((Planner, "_pending_due", work.looks_when_told),),
    ),
    Mutation(
        "11",
        "the last view goes on being used",
        "calm",
        of_nodes.a_node_that_dies_without_the_coordinator,
        patches=((Node, "handle", nodes.forgets_the_view), (Beating, "beaten", nodes.sees_no_mirror)),
    ),
    Mutation(
        "11",
        "the mirrored view",
        "calm",
        of_nodes.all_nodes_restart_without_the_coordinator,
        patches=((Beating, "beaten", nodes.sees_no_mirror),),
    ),
    Mutation(
        "11",
        "a new lineage is accepted",
        "calm",
        of_nodes.a_node_that_comes_after_the_data_was_lost,
        patches=((membership, "accepts", nodes.accepts_its_own_lineage),),
    ),
)
