"""Guards of claiming and pulling (rule 4)."""

from __future__ import annotations

from shardkeeper.domain.planner.adoption import Adoption
from shardkeeper.domain.planner.holdings import Holdings
from shardkeeper.domain.planner.membership import Membership
from shardkeeper.domain.planner.pulling import Pulling
from tests.simulation import mutants
from tests.simulation.habits import common
from tests.simulation.habits import of_work as work
from tests.simulation.mutations import Mutation
from tests.simulation.stories import of_jobs, of_nodes, of_stores

GUARDS: tuple[Mutation, ...] = (
    Mutation(
        "4",
        "the dead claim nothing",
        "leases",
        of_nodes.a_node_that_learns_late_that_it_is_dead,
        mutants.DeadNodesClaim,
    ),
    Mutation(
        "4",
        "no more is taken than there is room for",
        "pulls",
        6,
        patches=((Holdings, "room", work.endless_room),),
    ),
    Mutation(
        "4",
        "what the caller holds is in the answer",
        "endings",
        of_stores.a_claim_whose_answer_is_lost,
        mutants.UnheardIsUnheard,
    ),
    Mutation("4, 10", "a waiting run is not claimable", "overlap", 1, mutants.WaitingRunsAreClaimed),
    Mutation("4, 6", "`not_before` is waited for", "attempts", 1, mutants.ClaimedTooSoon),
    Mutation("4", "each_node's items are their node's", "attempts", 5, mutants.PinnedToNobody),
    Mutation("4", "each claim raises `claim_no`", "attempts", 1, mutants.ClaimNoStands),
    Mutation("4", "checkpoints are conditional on the claim", "attempts", 9, mutants.AnybodyReports),
    Mutation(
        "4, 8",
        "the next in rank takes what its owner leaves lying",
        "waiting",
        of_jobs.an_owner_without_room,
        patches=((Membership, "rank", work.owner_or_nobody),),
    ),
    Mutation(
        "4, 8",
        "one delay per rank",
        "calm",
        of_jobs.an_owner_that_is_slow,
        patches=((Membership, "rank", work.everybody_at_once),),
    ),
    Mutation(
        "4",
        "what no node can run is closed",
        "endings",
        of_jobs.nobody_has_the_labels,
        patches=((Adoption, "_hopeless", common.nothing),),
    ),
    Mutation(
        "4",
        "hopeless is only what a node has watched",
        "hopeless",
        of_jobs.a_node_that_comes_before_the_one_with_the_labels,
        patches=((Adoption, "_hopeless", work.hopeless_at_once),),
    ),
    Mutation(
        "4",
        "being full does not count towards that",
        "hopeless",
        of_jobs.all_nodes_are_full,
        patches=((Adoption, "_anyone_fits", work.fits_who_has_room),),
    ),
    Mutation(
        "4",
        "nor is being skewed",
        "hopeless",
        of_jobs.the_only_node_for_it_has_a_wrong_clock,
        patches=((Membership, "anyone_fits", work.only_members_fit),),
    ),
    Mutation(
        "4",
        "nor having the labels without the code",
        "endings",
        of_jobs.a_queue_that_one_may_not_run_and_the_other_cannot,
        patches=((Pulling, "pinned_read", common.no),),
    ),
    Mutation(
        "4",
        "what was submitted before is pulled by the labels that it pins",
        "endings",
        of_jobs.a_job_that_moves_away_from_its_queue,
        patches=((Pulling, "pending_read", common.nothing),),
    ),
    Mutation("4", "a pull takes nothing that others hold", "attempts", 1, mutants.PulledFromOthers),
    Mutation("4", "a pull waits for `not_before`", "pulls", 2, mutants.PulledTooSoon),
    Mutation("4", "a node that drains pulls nothing", "pulls", 1, mutants.DrainingNodesPull),
    Mutation("4", "what a node cannot run it does not pull", "pulls", 2, mutants.PulledByWhoeverAsks),
    Mutation("4", "priority makes up for waiting", "pulls", 2, mutants.PriorityIsNothing),
    Mutation("4", "age makes up for priority", "pulls", 2, mutants.AgeIsNothing),
    Mutation("4, 6", "a retry waits in the same queue", "pulls", 2, mutants.RetriesHaveAnOwner),
    Mutation(
        "4, 6",
        "what is given back unbegun keeps its place",
        "pulls",
        of_nodes.a_node_that_leaves_a_backlog,
        mutants.GivenBackToTheEnd,
    ),
    Mutation(
        "4",
        "a busy node pulls nothing",
        "pulls",
        2,
        patches=((Holdings, "room_to_pull", work.room_for_all),),
    ),
    Mutation("4", "nodes pull", "waiting", 2, patches=((Pulling, "look", common.nothing),)),
    Mutation("4", "one run per job and idempotency key", "submissions", 2, mutants.SubmittedTwice),
)
