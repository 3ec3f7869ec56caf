"""Guards of versions and the news of them (rules 1 and 2)."""

from __future__ import annotations

from shardkeeper.domain import accounting
from shardkeeper.domain.planner.launching import Launching
from shardkeeper.node.node import Node
from shardkeeper.node.works import sweep as sweep_work
from tests.simulation import mutants
from tests.simulation.habits import common
from tests.simulation.habits import of_work as work
from tests.simulation.mutations import Mutation
from tests.simulation.stories import of_jobs

GUARDS: tuple[Mutation, ...] = (
    Mutation("1", "a version is stamped at commit", "fires", 1, mutants.StampAtBegin),
    Mutation("1", "versions marked invalid do not count", "fires", 1, mutants.InvalidVersionsCount),
    Mutation(
        "1",
        "attempts run under the versions that their run pins",
        "witnesses",
        1,
        patches=((Launching, "_launch", work.launched_under_the_newest),),
    ),
    Mutation(
        "1",
        "a fire at which its job is disabled leaves nothing",
        "fires",
        1,
        patches=((sweep_work, "account_for", work.swept_though_disabled),),
    ),
    Mutation(
        "1",
        "a pause holds its fires",
        "fires",
        of_jobs.a_pause_just_before_a_slow_creation,
        mutants.PausesHoldNothing,
    ),
    Mutation(
        "1, 9",
        "a pause holds the fires of a sweep",
        "fires",
        1,
        patches=((accounting, "_stretches", work.swept_through_pauses),),
    ),
    Mutation(
        "1, 3",
        "a job switched off before the creation",
        "fires",
        of_jobs.a_pause_just_before_a_slow_creation,
        mutants.SwitchedOffRunsOn,
    ),
    Mutation(
        "1, 9",
        "a job switched off before the sweep",
        "fires",
        23,
        patches=((accounting, "_why_idle", common.no),),
    ),
    Mutation(
        "2",
        "the slow poll",
        "calm",
        of_jobs.a_job_that_no_hint_tells_of,
        patches=((Node, "handle", work.polls_nothing),),
    ),
    Mutation(
        "2",
        "what commits late is read, however low its number",
        "calm",
        of_jobs.an_edit_that_commits_after_a_later_one,
        mutants.HighestNumberSeen,
    ),
    Mutation(
        "2",
        "listen first, then read",
        "calm",
        of_jobs.a_job_that_comes_while_nobody_listens,
        patches=((Node, "handle", work.listens_and_reads_nothing),),
    ),
)
