-- Runs, attempts and values, by day of their fire time. Storage parameters lie on the partitions (090_partitions.sql).

create sequence shardkeeper.run_id as bigint cache 32;

-- Domains, where a table's own CHECK would do: that is read and compiled anew by every statement, which costs a submission
-- a sixth of its time (measured); a domain's once in a session.
create domain shardkeeper.trigger_kind as text
    constraint "trigger_kind is one that is known"
    check (value in ('schedule', 'misfire', 'manual', 'submit', 'rerun', 'backfill', 'follow_up'));
create domain shardkeeper.run_status as text
    constraint "status is one that is known"
    check (value in ('CREATED', 'RUNNING', 'COMPLETED', 'FAILED', 'STOPPED', 'MISSED', 'SKIPPED'));
create domain shardkeeper.attempt_status as text
    constraint "status is one that is known"
    check (value in ('PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'TIMED_OUT', 'LOST', 'STOPPED'));
create domain shardkeeper.phase as text
    constraint "phase is initialize, calculate, validate or compensate"
    check (value in ('initialize', 'calculate', 'validate', 'compensate'));
create domain shardkeeper.submission_key as text
    constraint "key is 1 to 200 characters" check (length(value) between 1 and 200);
create domain shardkeeper.item_count as integer
    constraint "open_items is not negative" check (value >= 0);

create table shardkeeper.job_run (
    id                   bigint      not null default nextval('shardkeeper.run_id'),
    job_name             text        not null,
    fire_time            timestamptz not null,
    fire_until           timestamptz,
    missed_count         integer,
    trigger_kind         shardkeeper.trigger_kind not null,
    status               shardkeeper.run_status not null default 'CREATED',
    reason               text,
    job_version          bigint      not null,
    impl_version         bigint,
    sharding_total_count integer     not null default 1,
    parameters           jsonb       not null default '{}',
    priority             smallint    not null default 0,
    idempotency_key      text,
    rerun_of             bigint,
    parent_run           bigint,
    requested_by         text,
    result               jsonb,
    created_at           timestamptz not null default clock_timestamp(),
    started_at           timestamptz,
    finished_at          timestamptz,
    -- how many items have no terminal attempt yet; whoever brings it to zero closes the run
    open_items           shardkeeper.item_count not null default 0,
    stop_requested       boolean     not null default false,
    -- what belongs together: the fire, or the submission, that set a run and those that follow it in motion
    flow                 text,
    -- true: it failed for good, and is open only until its items are rolled back
    compensating         boolean     not null default false,
    -- true: CREATED, and waits for its job's live_run row
    waiting              boolean     not null default false,
    primary key (id, fire_time)
) partition by range (fire_time);
-- Each run is in exactly one of these two: one index entry a run, none of them touched by a change of status
create unique index job_run_one_per_fire on shardkeeper.job_run (job_name, fire_time)
    where trigger_kind in ('schedule', 'misfire');
create index job_run_on_demand on shardkeeper.job_run (job_name, fire_time)
    where trigger_kind not in ('schedule', 'misfire');
create index job_run_waiting on shardkeeper.job_run (job_name, fire_time, id) where waiting;

create table shardkeeper.shard_run (
    run_id           bigint      not null,
    fire_time        timestamptz not null,
    item             integer     not null,
    attempt          integer     not null,
    job_name         text        not null,
    status           shardkeeper.attempt_status not null default 'PENDING',
    node_id          text,
    incarnation      text,
    -- each_node: the only node that may claim it
    pinned_node      text,
    phase            shardkeeper.phase,
    not_before       timestamptz not null default clock_timestamp(),
    -- copy of the run's, so that claimable attempts are found by one index
    waiting          boolean     not null default false,
    -- how many attempts of the item ended badly, and how many were lost, before this one
    tries            integer     not null default 0,
    takeovers        integer     not null default 0,
    claim_no         integer     not null default 0,
    -- of attempts that have no owner: whoever has room pulls the smallest. A point of priority makes up for a minute
    claim_key        timestamptz,
    -- set by its claim: whether a limit shared by nodes holds for it, and the pool and the value by which it is counted
    limited          boolean     not null default false,
    pool             text,
    concurrency_value text,
    -- whether it has begun what its task can roll back, and whether it is the rolling back
    compensable      boolean     not null default false,
    compensates      boolean     not null default false,
    created_at       timestamptz not null default clock_timestamp(),
    claimed_at       timestamptz,
    started_at       timestamptz,
    finished_at      timestamptz,
    initialize_ms    double precision,
    calculate_ms     double precision,
    validate_ms      double precision,
    progress         double precision,
    progress_message text,
    checkpoint       jsonb,
    result           jsonb,
    refused_values   jsonb,
    error_type       text,
    error_message    text,
    traceback        text,
    log              text,
    code_version     text,
    primary key (run_id, fire_time, item, attempt)
) partition by range (fire_time);
create index shard_run_claimable on shardkeeper.shard_run (not_before)
    where status = 'PENDING' and not waiting and claim_key is null;
-- By job, so that one whose limit is reached, or that a node cannot run, hides no other
create index shard_run_pullable on shardkeeper.shard_run (job_name, claim_key, not_before)
    where status = 'PENDING' and not waiting and claim_key is not null;
create index shard_run_running on shardkeeper.shard_run (incarnation) where status = 'RUNNING';
create index shard_run_limited on shardkeeper.shard_run (job_name, concurrency_value)
    where status = 'RUNNING' and limited;
create index shard_run_pool on shardkeeper.shard_run (pool) where status = 'RUNNING' and pool is not null;
-- Promise 1, by constraint: one live attempt and one recorded success per run and item, and one of its rolling back
create unique index shard_run_one_live on shardkeeper.shard_run (run_id, fire_time, item, compensates)
    where status in ('PENDING', 'RUNNING', 'COMPLETED');

create table shardkeeper.calculate_value (
    run_id    bigint           not null,
    fire_time timestamptz      not null,
    item      integer          not null,
    key       text             not null,
    value     jsonb            not null,
    weight    double precision not null default 1,
    primary key (run_id, fire_time, item, key)
) partition by range (fire_time);

-- The one run of a job that may be live where overlap is not `allow`
create table shardkeeper.live_run (
    job_name  text        primary key,
    run_id    bigint      not null,
    fire_time timestamptz not null,
    taken_at  timestamptz not null default clock_timestamp(),
    -- whether runs wait for the row, so that releasing it need not look through every partition for them
    awaited   boolean     not null default false
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- What limits shared by nodes are locked by: each pool, and each job that has or had a limit. `tat` is the instant up to
-- which the starts of a job with a rate are paid for (0415_limits.sql).
create table shardkeeper.limit_state (
    kind text        not null,
    name text        not null,
    tat  timestamptz,
    primary key (kind, name),
    constraint "kind is pool or job" check (kind in ('pool', 'job'))
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- What the closing of runs knows of each job; read by job_status and by alerts
create table shardkeeper.job_state (
    job_name          text    primary key,
    last_run          bigint,
    last_fire_time    timestamptz,
    last_status       text,
    last_finished_at  timestamptz,
    last_success_at   timestamptz,
    failures_in_a_row integer not null default 0
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- Not partitioned, so that a key is unique whatever the fire time
create table shardkeeper.idempotency_key (
    job_name   text        not null,
    key        shardkeeper.submission_key not null,
    run_id     bigint      not null,
    fire_time  timestamptz not null,
    created_at timestamptz not null default clock_timestamp(),
    primary key (job_name, key)
);
create index idempotency_key_by_age on shardkeeper.idempotency_key (created_at);

-- Of a job that follows several: whose runs of a flow have ended so far. The row goes when it is started; what never
-- comes together is forgotten in time
create table shardkeeper.follow_gate (
    job_name  text        not null,
    flow      text        not null,
    -- by job: {"run_id", "fire_time", "status"} of the run that ended last
    arrived   jsonb       not null default '{}',
    opened_at timestamptz not null default clock_timestamp(),
    primary key (job_name, flow)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
create index follow_gate_by_age on shardkeeper.follow_gate (opened_at);
