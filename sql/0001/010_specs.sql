-- What people write: how a job runs (impl_spec), its weighted inputs (source_data), what runs and when (job_spec), pauses.
-- Every CHECK bears as its name what it asks for, because that name is what psql shows to whoever is refused. Those that
-- cost time let the default through first: a statement may write 100,000 rows.

create schema if not exists shardkeeper;

-- Which releases can work with this schema: a revision that only adds leaves it as it is.
create function shardkeeper.schema_minor() returns text
    language sql immutable parallel safe
    return '0.1';

create table shardkeeper.impl_spec (
    name        text primary key,
    kind        text  not null default 'python',
    entrypoint  text  not null,
    parameters  jsonb not null default '{}',
    isolation   text  not null default 'process',
    description text,
    constraint "name: a-z 0-9 first, then a-z 0-9 . _ -, at most 100" check (name ~ '^[a-z0-9][a-z0-9._-]{0,99}$'),
    constraint "kind is python, script or http" check (kind in ('python', 'script', 'http')),
    constraint "entrypoint is 1 to 2000 characters" check (length(entrypoint) between 1 and 2000),
    constraint "parameters is a JSON object of at most 1 MB"
        check (jsonb_typeof(parameters) = 'object' and octet_length(parameters::text) <= 1000000),
    constraint "isolation is process or thread" check (isolation in ('process', 'thread')),
    constraint "description is at most 10000 characters" check (length(description) <= 10000)
);

create table shardkeeper.source_data (
    impl_spec  text    not null references shardkeeper.impl_spec (name) on delete cascade,
    key        text    not null,
    weight     numeric not null default 1,
    location   text,
    parameters jsonb   not null default '{}',
    enabled    boolean not null default true,
    primary key (impl_spec, key),
    constraint "key is 1 to 200 characters" check (length(key) between 1 and 200),
    -- NaN sorts above every number, so the upper bound refuses it
    constraint "weight is more than 0 and at most 1e12" check (weight > 0 and weight <= 1e12),
    constraint "location is at most 10000 characters" check (length(location) <= 10000),
    constraint "parameters is a JSON object of at most 1 MB"
        check (jsonb_typeof(parameters) = 'object' and octet_length(parameters::text) <= 1000000)
);

-- What jobs share that may run at the same time only so often, whatever they are and wherever they run. Not versioned: its
-- size holds from the next claim on.
create table shardkeeper.pool (
    name        text    primary key,
    size        integer not null,
    description text,
    constraint "name: a-z 0-9 first, then a-z 0-9 . _ -, at most 100" check (name ~ '^[a-z0-9][a-z0-9._-]{0,99}$'),
    constraint "size is 0 to 100000" check (size between 0 and 100000),
    constraint "description is at most 10000 characters" check (length(description) <= 10000)
);

create table shardkeeper.job_spec (
    name                     text        primary key,
    impl_spec                text        not null references shardkeeper.impl_spec (name),
    cron                     text,
    every                    interval,
    run_at                   timestamptz,
    starts_at                timestamptz,
    ends_at                  timestamptz,
    sharding_total_count     integer     not null default 1,
    sharding_item_parameters jsonb       not null default '{}',
    sharding_strategy        text        not null default 'balanced',
    parameters               jsonb       not null default '{}',
    misfire                  text        not null default 'once',
    misfire_grace            interval    not null default '1 day',
    catch_up_limit           integer     not null default 100,
    overlap                  text        not null default 'skip',
    failover                 boolean     not null default true,
    on_lease_loss            text        not null default 'continue',
    max_attempts             integer     not null default 1,
    max_takeovers            integer     not null default 3,
    retry_delay              interval    not null default '10 seconds',
    retry_backoff            double precision not null default 2.0,
    retry_max_delay          interval    not null default '1 hour',
    timeout                  interval             default '1 hour',
    phase_timeouts           jsonb       not null default '{}',
    late_after               interval,
    finish_within            interval,
    priority                 smallint    not null default 0,
    pool                     text        references shardkeeper.pool (name),
    max_running              integer,
    concurrency_key          text,
    max_running_per_key      integer     not null default 1,
    rate_limit               integer,
    rate_period              interval    not null default '1 second',
    follows                  jsonb       not null default '{}',
    retry_on                 jsonb       not null default '[]',
    give_up_on               jsonb       not null default '[]',
    retention                interval,
    parameters_schema        jsonb,
    parameters_limit         integer     not null default 1000000,
    node_selector            jsonb       not null default '{}',
    alert                    jsonb       not null default '{}',
    labels                   jsonb       not null default '{}',
    owner                    text,
    description              text,
    enabled                  boolean     not null default true,
    version                  bigint,
    constraint "name: a-z 0-9 first, then a-z 0-9 . _ -, at most 100" check (name ~ '^[a-z0-9][a-z0-9._-]{0,99}$'),
    constraint "at most one of cron, every and run_at" check (num_nonnulls(cron, every, run_at) <= 1),
    constraint "cron is 1 to 200 characters" check (length(cron) between 1 and 200),
    constraint "every is 1 microsecond to 36500 days, without months"
        check (isfinite(every) and extract(year from every) = 0 and extract(month from every) = 0
               and every between '1 microsecond' and '36500 days'),
    constraint "run_at is in the years 1970 to 9999"
        check (run_at >= '1970-01-01 00:00:00+00' and run_at < '9999-12-31 00:00:00+00'),
    constraint "starts_at is in the years 1970 to 9999"
        check (starts_at >= '1970-01-01 00:00:00+00' and starts_at < '9999-12-31 00:00:00+00'),
    constraint "ends_at is in the years 1970 to 9999, after starts_at"
        check (ends_at >= '1970-01-01 00:00:00+00' and ends_at < '9999-12-31 00:00:00+00'
               and (starts_at is null or ends_at > starts_at)),
    constraint "sharding_total_count is 1 to 10000" check (sharding_total_count between 1 and 10000),
    constraint "sharding_item_parameters is an object of item to text"
        check (sharding_item_parameters = '{}' or jsonb_typeof(sharding_item_parameters) = 'object'
               and not jsonb_path_exists(sharding_item_parameters, '$.* ? (@.type() != "string")')
               and not jsonb_path_exists(sharding_item_parameters,
                                         '$.keyvalue() ? (!(@.key like_regex "^(0|[1-9][0-9]{0,3})$"))')),
    constraint "sharding_strategy is one that is known"
        check (sharding_strategy in ('balanced', 'each_node', 'average', 'odevity', 'round_robin')),
    constraint "parameters is a JSON object of at most 1 MB"
        check (parameters = '{}' or jsonb_typeof(parameters) = 'object' and octet_length(parameters::text) <= 1000000),
    constraint "misfire is skip, once or all" check (misfire in ('skip', 'once', 'all')),
    constraint "misfire_grace is 0 to 36500 days, without months"
        check (misfire_grace = '1 day' or isfinite(misfire_grace) and extract(year from misfire_grace) = 0
               and extract(month from misfire_grace) = 0 and misfire_grace between '0' and '36500 days'),
    constraint "catch_up_limit is 1 to 10000" check (catch_up_limit between 1 and 10000),
    constraint "misfire all: catch_up_limit x items is at most 100000"
        check (misfire <> 'all' or catch_up_limit * sharding_total_count <= 100000),
    constraint "overlap is skip, queue, replace or allow" check (overlap in ('skip', 'queue', 'replace', 'allow')),
    constraint "on_lease_loss is continue or stop" check (on_lease_loss in ('continue', 'stop')),
    constraint "max_attempts is 1 to 1000" check (max_attempts between 1 and 1000),
    constraint "max_takeovers is 0 to 1000" check (max_takeovers between 0 and 1000),
    constraint "retry_delay is 0 to 365 days, without months"
        check (retry_delay = '10 seconds' or isfinite(retry_delay) and extract(year from retry_delay) = 0
               and extract(month from retry_delay) = 0 and retry_delay between '0' and '365 days'),
    constraint "retry_backoff is 1 to 1000" check (retry_backoff >= 1 and retry_backoff <= 1000),
    constraint "retry_max_delay is 0 to 365 days, without months"
        check (retry_max_delay = '1 hour' or isfinite(retry_max_delay) and extract(year from retry_max_delay) = 0
               and extract(month from retry_max_delay) = 0 and retry_max_delay between '0' and '365 days'),
    constraint "timeout is more than 0, at most 3650 days, without months"
        check (timeout = '1 hour' or isfinite(timeout) and extract(year from timeout) = 0 and extract(month from timeout) = 0
               and timeout > '0' and timeout <= '3650 days'),
    constraint "phase_timeouts: initialize, calculate, validate to text"
        check (phase_timeouts = '{}' or jsonb_typeof(phase_timeouts) = 'object'
               and phase_timeouts - array['initialize', 'calculate', 'validate'] = '{}'
               and not jsonb_path_exists(phase_timeouts, '$.* ? (@.type() != "string")')),
    constraint "late_after is more than 0, at most 3650 days, without months"
        check (isfinite(late_after) and extract(year from late_after) = 0 and extract(month from late_after) = 0
               and late_after > '0' and late_after <= '3650 days'),
    constraint "finish_within is over 0, at most 3650 days, without months"
        check (isfinite(finish_within) and extract(year from finish_within) = 0
               and extract(month from finish_within) = 0
               and finish_within > '0' and finish_within <= '3650 days'),
    constraint "priority is -100 to 100" check (priority between -100 and 100),
    constraint "max_running is 1 to 100000" check (max_running between 1 and 100000),
    constraint "concurrency_key is 1 to 200 characters" check (length(concurrency_key) between 1 and 200),
    constraint "max_running_per_key is 1 to 100000" check (max_running_per_key between 1 and 100000),
    constraint "rate_limit is 1 to 1000000" check (rate_limit between 1 and 1000000),
    constraint "rate_period is 1 millisecond to 365 days, without months"
        check (rate_period = '1 second' or isfinite(rate_period) and extract(year from rate_period) = 0
               and extract(month from rate_period) = 0 and rate_period between '1 millisecond' and '365 days'),
    constraint "follows: jobs, a list of names, and on: completed, failed, ended"
        check (follows = '{}' or jsonb_typeof(follows) = 'object' and follows - array['jobs', 'on'] = '{}'
               and jsonb_typeof(follows -> 'jobs') = 'array'
               and jsonb_array_length(follows -> 'jobs') between 1 and 100
               and not jsonb_path_exists(follows, '$.jobs[*] ? (@.type() != "string")')
               and coalesce(follows ->> 'on', 'completed') in ('completed', 'failed', 'ended')),
    constraint "what follows other jobs has no schedule of its own"
        check (follows = '{}' or num_nonnulls(cron, every, run_at) = 0),
    constraint "retry_on is a list of at most 100 names of errors"
        check (retry_on = '[]' or jsonb_typeof(retry_on) = 'array' and jsonb_array_length(retry_on) <= 100
               and not jsonb_path_exists(retry_on, '$[*] ? (@.type() != "string")')),
    constraint "give_up_on is a list of at most 100 names of errors"
        check (give_up_on = '[]' or jsonb_typeof(give_up_on) = 'array' and jsonb_array_length(give_up_on) <= 100
               and not jsonb_path_exists(give_up_on, '$[*] ? (@.type() != "string")')),
    constraint "retention is 1 minute to 36500 days, without months"
        check (isfinite(retention) and extract(year from retention) = 0 and extract(month from retention) = 0
               and retention between '1 minute' and '36500 days'),
    constraint "parameters_schema is a JSON object of at most 100 kB"
        check (jsonb_typeof(parameters_schema) = 'object' and octet_length(parameters_schema::text) <= 100000),
    constraint "parameters_limit is 2 to 1000000 bytes" check (parameters_limit between 2 and 1000000),
    constraint "node_selector is an object of label to text"
        check (node_selector = '{}' or jsonb_typeof(node_selector) = 'object'
               and not jsonb_path_exists(node_selector, '$.* ? (@.type() != "string")')),
    constraint "alert has only on, channel, mention, after, runbook_url"
        check (alert = '{}' or jsonb_typeof(alert) = 'object'
               and alert - array['on', 'channel', 'mention', 'after', 'runbook_url'] = '{}'),
    constraint "alert.on lists failed, missed, late, recovered"
        check (not alert ? 'on'
               or (jsonb_typeof(alert -> 'on') = 'array'
                   and alert -> 'on' <@ '["failed", "missed", "late", "recovered"]')),
    constraint "labels is an object of label to text"
        check (labels = '{}' or jsonb_typeof(labels) = 'object' and not jsonb_path_exists(labels, '$.* ? (@.type() != "string")')),
    constraint "owner is at most 200 characters" check (length(owner) <= 200),
    constraint "description is at most 10000 characters" check (length(description) <= 10000)
) with (fillfactor = 50); -- room for the stamping of `version` beside each new row
create index job_spec_impl_spec on shardkeeper.job_spec (impl_spec);
create index job_spec_pool on shardkeeper.job_spec (pool) where pool is not null;
create index job_spec_retention on shardkeeper.job_spec (name) where retention is not null;
create index job_spec_follows on shardkeeper.job_spec (name) where follows <> '{}';

-- A pause lies apart from the spec, so that applying specs never undoes it. `since` and `resumed_at` are lifted to
-- the instant of the commit (020_versions.sql).
create table shardkeeper.pause (
    id           bigint generated always as identity primary key,
    job_name     text        not null,
    reason       text,
    since        timestamptz not null default clock_timestamp(),
    until        timestamptz,
    resumed_at   timestamptz,
    requested_by text        not null default session_user,
    changed_xid  xid8        not null default pg_current_xact_id(),
    created_xid  xid8        not null default pg_current_xact_id(),
    resumed_xid  xid8,
    constraint "reason is at most 2000 characters" check (length(reason) <= 2000),
    constraint "until is a finite instant" check (isfinite(until) and until < '9999-12-31 00:00:00+00')
);
create index pause_by_job on shardkeeper.pause (job_name);
create index pause_by_change on shardkeeper.pause (changed_xid);
