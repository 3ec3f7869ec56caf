-- Immutable versions, marks on them, and what the stamping of versions needs. Written by triggers and nodes alone.

create sequence shardkeeper.version_number as bigint;

-- The key of the advisory lock under which versions are stamped (shared) and the sweep decides (exclusive).
create function shardkeeper.versions_lock_key() returns bigint
    language sql immutable parallel safe
    return 6363318104;

-- `spec` holds the columns that differ from job_spec's defaults (durations as text like '30 s', instants with +00:00),
-- and is null where this version is the deletion of the job. What is absent has its default, for ever: so a column
-- that a later release adds does not make every job unknown to the nodes of this one.
-- The columns beside it repeat, defaults filled in, what functions need at every fire; all null for a deletion.
create table shardkeeper.job_version (
    version           bigint      primary key,
    job_name          text        not null,
    spec              jsonb,
    in_force_from     timestamptz not null,
    changed_xid       xid8        not null default pg_current_xact_id(),
    changed_by        text        not null,
    impl_spec         text,
    enabled           boolean,
    scheduled         boolean,
    sharding_total_count integer,
    sharding_strategy text,
    overlap           text,
    misfire_grace     interval,
    failover          boolean,
    max_attempts      integer,
    max_takeovers     integer,
    late_after        interval,
    finish_within     interval,
    priority          smallint,
    node_selector     jsonb,
    alert             jsonb,
    -- whether any of the limits below holds: most jobs have none, and pay nothing
    limited           boolean,
    pool              text,
    max_running       integer,
    concurrency_key   text,
    max_running_per_key integer,
    rate_limit        integer,
    rate_period       interval,
    follows           jsonb,
    retention         interval,
    parameters_schema jsonb,
    parameters_limit  integer
) with (autovacuum_analyze_scale_factor = 0.02);
-- In the very order in which the version in force at an instant is looked for, or each look would sort
create index job_version_in_force on shardkeeper.job_version (job_name, in_force_from desc, version desc) include (scheduled);
create index job_version_by_change on shardkeeper.job_version (changed_xid);
-- By the jobs that are followed. Without a list of what is to come, which every closing of a run would go through
create index job_version_follows on shardkeeper.job_version using gin ((follows -> 'jobs')) with (fastupdate = off)
    where follows <> '{}';
create index job_version_watched on shardkeeper.job_version (job_name)
    where late_after is not null or finish_within is not null;

create table shardkeeper.impl_version (
    version       bigint      primary key,
    impl_name     text        not null,
    impl          jsonb,
    sources       jsonb       not null default '[]',
    in_force_from timestamptz not null,
    changed_xid   xid8        not null default pg_current_xact_id(),
    changed_by    text        not null
);
create index impl_version_in_force on shardkeeper.impl_version (impl_name, in_force_from desc, version desc);
create index impl_version_by_change on shardkeeper.impl_version (changed_xid);

-- Versions that can never run, and why. Written by nodes: no trigger of the change feed lies on it.
create table shardkeeper.spec_problem (
    version     bigint      primary key,
    of_impl     boolean     not null,
    name        text        not null,
    problem     text        not null,
    found_at    timestamptz not null default clock_timestamp(),
    changed_xid xid8        not null default pg_current_xact_id()
);
create index spec_problem_by_name on shardkeeper.spec_problem (name);
create index spec_problem_by_change on shardkeeper.spec_problem (changed_xid);

-- What a node cannot run: a job under these versions (a mended one is another); 0, 0: the job whatever its versions.
create table shardkeeper.node_decline (
    job_name     text        not null,
    node_id      text        not null,
    job_version  bigint      not null default 0,
    impl_version bigint      not null default 0,
    reason       text        not null,
    since        timestamptz not null default clock_timestamp(),
    primary key (job_name, node_id, job_version, impl_version)
);
create index node_decline_by_node on shardkeeper.node_decline (node_id);

-- Written by every transaction that changes what follows what (046_follow_ups.sql)
create table shardkeeper.follow_guard (
    single      boolean primary key default true check (single),
    changed_xid xid8    not null default pg_current_xact_id()
) with (fillfactor = 50);
insert into shardkeeper.follow_guard default values;

-- What the open transaction has changed so far: filled by statement triggers, emptied by the one deferred trigger that
-- hangs on pending_stamp. Rows never outlive their transaction, so they need no WAL.
create unlogged table shardkeeper.pending_change (
    xid  xid8 not null,
    kind text not null,
    name text not null,
    primary key (xid, kind, name)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);
create unlogged table shardkeeper.pending_stamp (xid xid8 primary key, stamping boolean not null default false);
