-- Leases, orders to nodes, duties, the mirrored view, alerts, audit.

create table shardkeeper.lease (
    incarnation text             primary key,
    node_id     text             not null,
    beat        bigint           not null default 0,
    state       text             not null default 'active',
    host        text             not null,
    pid         integer          not null,
    weight      double precision not null default 1,
    labels      jsonb            not null default '{}',
    version     text             not null,
    joined_at   timestamptz      not null default clock_timestamp(),
    beaten_at   timestamptz      not null default clock_timestamp(),
    dead_at     timestamptz,
    dead_by     text,
    constraint "state is active, draining or dead" check (state in ('active', 'draining', 'dead')),
    constraint "labels is a JSON object" check (jsonb_typeof(labels) = 'object')
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
-- Partial on purpose: a column of a plain unique index is a key column, and changing it would block every
-- FOR KEY SHARE that claims take on the row
create unique index lease_one_per_node on shardkeeper.lease (node_id) where state <> 'dead';
create index lease_by_node on shardkeeper.lease (node_id, joined_at desc);

create table shardkeeper.node_order (
    node_id    text    primary key,
    drain      boolean not null default false,
    workers    integer,
    ordered_by text    not null default session_user,
    ordered_at timestamptz not null default clock_timestamp(),
    constraint "workers is 0 to 10000" check (workers between 0 and 10000)
);

create table shardkeeper.duty (
    name        text        primary key,
    incarnation text        not null,
    held_until  timestamptz not null,
    renewed_at  timestamptz not null default clock_timestamp()
) with (fillfactor = 50);

create table shardkeeper.sweep_state (
    single       boolean     primary key default true check (single),
    watermark    timestamptz not null default clock_timestamp(),
    window_until timestamptz,
    cursor       text        not null default ''
) with (fillfactor = 50);
insert into shardkeeper.sweep_state default values;

create table shardkeeper.house_state (
    single        boolean     primary key default true check (single),
    late_until    timestamptz not null default clock_timestamp(),
    cleaned_at    timestamptz,
    -- the job up to which those with a retention of their own have been seen to in this round
    retained_to   text        not null default ''
) with (fillfactor = 50);
insert into shardkeeper.house_state default values;

create table shardkeeper.mirrored_view (
    single      boolean     primary key default true check (single),
    lineage     text        not null,
    epoch       bigint      not null,
    view        jsonb       not null,
    mirrored_at timestamptz not null default clock_timestamp()
);

create table shardkeeper.alert (
    alert_id       bigint generated always as identity primary key,
    event_key      text        not null unique,
    kind           text        not null,
    job_name       text,
    run_id         bigint,
    channel        text,
    body           jsonb       not null default '{}',
    created_at     timestamptz not null default clock_timestamp(),
    due_at         timestamptz not null default clock_timestamp(),
    tries          integer     not null default 0,
    taken_by       text,
    taken_until    timestamptz,
    sent_at        timestamptz,
    message_id     text,
    gave_up_at     timestamptz,
    problem        text,
    -- the job's earlier message that this one answers (recovery)
    thread         text
) with (fillfactor = 80);
create index alert_due on shardkeeper.alert (due_at) where sent_at is null and gave_up_at is null;
create index alert_by_job on shardkeeper.alert (job_name, alert_id desc);

-- Who ordered what. The view `audit` (070_views.sql) adds the changes of specs, which their versions record already.
create table shardkeeper.audit_log (
    audit_id    bigint generated always as identity primary key,
    happened_at timestamptz not null default clock_timestamp(),
    who         text        not null,
    what        text        not null,
    subject     text        not null,
    detail      jsonb
);
create index audit_log_by_age on shardkeeper.audit_log (happened_at);
