-- Versions: every change of specs and pauses is stamped once per transaction, with the database clock, at its commit.
--
-- Statement triggers note the names a statement touched in pending_change; the first of a transaction also inserts its row
-- into pending_stamp, and on that row hangs the one deferred constraint trigger (they exist for rows alone). It runs
-- within the commit, holds the versions' advisory lock shared until the commit is done, and compares what the transaction
-- leaves behind with the latest version of each name. So:
--   * a commit that comes late is stamped late; `now()` would have dated it to the transaction's beginning, and
--     the sweep would run fires that nobody could have known of;
--   * while the sweep holds the lock exclusively, whatever is stamped is committed, and what will be stamped is later;
--   * ten edits of a job in one transaction make one version, an edit that changes nothing makes none;
--   * a ROLLBACK TO SAVEPOINT takes the notes with it, because they are rows.
-- SET CONSTRAINTS ... IMMEDIATE only stamps earlier what it could see then; the lock is held all the same, and what
-- the transaction changes afterwards makes a version of its own.

-- Who is at work: whom a face acts for (it sets shardkeeper.actor in its transaction), else who has logged in.
create function shardkeeper.actor() returns text
    language sql stable
    return coalesce(nullif(current_setting('shardkeeper.actor', true), ''), session_user);

create function shardkeeper.note_changes(kind text, names text[]) returns void
    language plpgsql
as $$
declare
    me xid8 := pg_current_xact_id();
begin
    if cardinality(names) = 0 or exists (select from shardkeeper.pending_stamp s where s.xid = me and s.stamping) then
        return;
    end if;
    insert into shardkeeper.pending_change (xid, kind, name)
        select me, note_changes.kind, n from unnest(names) n on conflict do nothing;
    insert into shardkeeper.pending_stamp (xid) values (me) on conflict do nothing;
end
$$;

-- For tables whose name column is the trigger's second argument; the first is the kind of name.
create function shardkeeper.note_statement() returns trigger
    language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    source text := case tg_op when 'INSERT' then 'select %1$I as name from new_rows'
                              when 'DELETE' then 'select %1$I as name from old_rows'
                              when 'UPDATE' then 'select %1$I as name from old_rows union all select %1$I from new_rows'
                              else 'select %1$I as name from ' || tg_relid::regclass end;
    names  text[];
begin
    execute format('select coalesce(array_agg(distinct name), ''{}'') from (' || source || ') touched', tg_argv[1])
        into names;
    perform shardkeeper.note_changes(tg_argv[0], names);
    return null;
end
$$;

create trigger inserted after insert on shardkeeper.job_spec referencing new table as new_rows
    for each statement execute function shardkeeper.note_statement('job', 'name');
create trigger updated after update on shardkeeper.job_spec referencing old table as old_rows new table as new_rows
    for each statement execute function shardkeeper.note_statement('job', 'name');
create trigger deleted after delete on shardkeeper.job_spec referencing old table as old_rows
    for each statement execute function shardkeeper.note_statement('job', 'name');
create trigger truncated before truncate on shardkeeper.job_spec
    for each statement execute function shardkeeper.note_statement('job', 'name');

create trigger inserted after insert on shardkeeper.impl_spec referencing new table as new_rows
    for each statement execute function shardkeeper.note_statement('impl', 'name');
create trigger updated after update on shardkeeper.impl_spec referencing old table as old_rows new table as new_rows
    for each statement execute function shardkeeper.note_statement('impl', 'name');
create trigger deleted after delete on shardkeeper.impl_spec referencing old table as old_rows
    for each statement execute function shardkeeper.note_statement('impl', 'name');
create trigger truncated before truncate on shardkeeper.impl_spec
    for each statement execute function shardkeeper.note_statement('impl', 'name');

create trigger inserted after insert on shardkeeper.source_data referencing new table as new_rows
    for each statement execute function shardkeeper.note_statement('impl', 'impl_spec');
create trigger updated after update on shardkeeper.source_data referencing old table as old_rows new table as new_rows
    for each statement execute function shardkeeper.note_statement('impl', 'impl_spec');
create trigger deleted after delete on shardkeeper.source_data referencing old table as old_rows
    for each statement execute function shardkeeper.note_statement('impl', 'impl_spec');
create trigger truncated before truncate on shardkeeper.source_data
    for each statement execute function shardkeeper.note_statement('impl', 'impl_spec');

create trigger inserted after insert on shardkeeper.pause referencing new table as new_rows
    for each statement execute function shardkeeper.note_statement('pause', 'job_name');
create trigger updated after update on shardkeeper.pause referencing old table as old_rows new table as new_rows
    for each statement execute function shardkeeper.note_statement('pause', 'job_name');
create trigger deleted after delete on shardkeeper.pause referencing old table as old_rows
    for each statement execute function shardkeeper.note_statement('pause', 'job_name');
create trigger truncated before truncate on shardkeeper.pause
    for each statement execute function shardkeeper.note_statement('pause', 'job_name');

-- Which transaction changed a pause, whatever the statement says of it.
create function shardkeeper.mark_pause() returns trigger
    language plpgsql
as $$
begin
    if tg_op = 'INSERT' then
        new.created_xid := pg_current_xact_id();
        new.resumed_xid := case when new.resumed_at is not null then pg_current_xact_id() end;
    else
        new.created_xid := old.created_xid;
        new.resumed_xid := case when new.resumed_at is not distinct from old.resumed_at then old.resumed_xid
                                when new.resumed_at is not null then pg_current_xact_id() end;
    end if;
    new.changed_xid := pg_current_xact_id();
    return new;
end
$$;
create trigger marked before insert or update on shardkeeper.pause
    for each row execute function shardkeeper.mark_pause();

-- A duration as people write it in specs, exact to the microsecond: '90 s', '0.25 s'.
create function shardkeeper.seconds_text(duration interval) returns text
    language sql immutable parallel safe
    return trim_scale(extract(epoch from duration))::text || ' s';

-- The columns that differ from their defaults. `timeout` may be null, which is not its default. To be called with
-- TimeZone UTC.
create function shardkeeper.job_spec_json(j shardkeeper.job_spec) returns jsonb
    language sql stable
    return jsonb_strip_nulls(jsonb_build_object(
        'name', j.name, 'impl_spec', j.impl_spec, 'cron', j.cron, 'every', shardkeeper.seconds_text(j.every),
        'run_at', j.run_at, 'starts_at', j.starts_at, 'ends_at', j.ends_at,
        'sharding_total_count', nullif(j.sharding_total_count, 1),
        'sharding_strategy', nullif(j.sharding_strategy, 'balanced'),
        'misfire', nullif(j.misfire, 'once'),
        'misfire_grace', shardkeeper.seconds_text(nullif(j.misfire_grace, '1 day')),
        'catch_up_limit', nullif(j.catch_up_limit, 100), 'overlap', nullif(j.overlap, 'skip'),
        'failover', nullif(j.failover, true), 'on_lease_loss', nullif(j.on_lease_loss, 'continue'),
        'max_attempts', nullif(j.max_attempts, 1), 'max_takeovers', nullif(j.max_takeovers, 3),
        'retry_delay', shardkeeper.seconds_text(nullif(j.retry_delay, '10 seconds')),
        'retry_backoff', nullif(j.retry_backoff, 2.0),
        'retry_max_delay', shardkeeper.seconds_text(nullif(j.retry_max_delay, '1 hour')),
        'timeout', shardkeeper.seconds_text(nullif(j.timeout, '1 hour')),
        'late_after', shardkeeper.seconds_text(j.late_after),
        'finish_within', shardkeeper.seconds_text(j.finish_within),
        'priority', nullif(j.priority, 0), 'pool', j.pool, 'max_running', j.max_running,
        'concurrency_key', j.concurrency_key, 'max_running_per_key', nullif(j.max_running_per_key, 1),
        'rate_limit', j.rate_limit, 'rate_period', shardkeeper.seconds_text(nullif(j.rate_period, '1 second')),
        'retention', shardkeeper.seconds_text(j.retention), 'parameters_limit', nullif(j.parameters_limit, 1000000),
        'owner', j.owner, 'description', j.description,
        'enabled', nullif(j.enabled, true)))
        || case when j.timeout is null then '{"timeout": null}'::jsonb else '{}' end
        -- objects of the user's come after the stripping, which would reach into them
        || case when j.sharding_item_parameters = '{}' and j.parameters = '{}' and j.phase_timeouts = '{}'
                     and j.node_selector = '{}' and j.alert = '{}' and j.labels = '{}' and j.follows = '{}'
                     and j.retry_on = '[]' and j.give_up_on = '[]' and j.parameters_schema is null then '{}'::jsonb
           else case when j.sharding_item_parameters = '{}' then '{}'::jsonb
                     else jsonb_build_object('sharding_item_parameters', j.sharding_item_parameters) end
             || case when j.parameters = '{}' then '{}'::jsonb else jsonb_build_object('parameters', j.parameters) end
             || case when j.phase_timeouts = '{}' then '{}'::jsonb else jsonb_build_object('phase_timeouts', j.phase_timeouts) end
             || case when j.node_selector = '{}' then '{}'::jsonb else jsonb_build_object('node_selector', j.node_selector) end
             || case when j.alert = '{}' then '{}'::jsonb else jsonb_build_object('alert', j.alert) end
             || case when j.labels = '{}' then '{}'::jsonb else jsonb_build_object('labels', j.labels) end
             || case when j.follows = '{}' then '{}'::jsonb else jsonb_build_object('follows', j.follows) end
             || case when j.retry_on = '[]' then '{}'::jsonb else jsonb_build_object('retry_on', j.retry_on) end
             || case when j.give_up_on = '[]' then '{}'::jsonb else jsonb_build_object('give_up_on', j.give_up_on) end
             || case when j.parameters_schema is null then '{}'::jsonb
                     else jsonb_build_object('parameters_schema', j.parameters_schema) end
           end;

create function shardkeeper.impl_spec_json(i shardkeeper.impl_spec) returns jsonb
    language sql stable
    return jsonb_strip_nulls(jsonb_build_object(
        'name', i.name, 'kind', i.kind, 'entrypoint', i.entrypoint, 'isolation', nullif(i.isolation, 'process'),
        'description', i.description))
        || case when i.parameters = '{}' then '{}'::jsonb else jsonb_build_object('parameters', i.parameters) end;

create function shardkeeper.sources_json(impl text) returns jsonb
    language sql stable
    return (select coalesce(jsonb_agg(
                jsonb_strip_nulls(jsonb_build_object('key', s.key, 'weight', nullif(s.weight, 1),
                                                     'location', s.location, 'enabled', nullif(s.enabled, true)))
                || case when s.parameters = '{}' then '{}'::jsonb else jsonb_build_object('parameters', s.parameters) end
                order by s.key), '[]')
            from shardkeeper.source_data s where s.impl_spec = impl);

-- The versions that the transaction makes, of the names it touched: what differs from the latest one. `in_force_from`
-- is the earliest that it may be stamped: later than the version before it, whatever the clock did.
create function shardkeeper.changed_impls(names text[]) returns shardkeeper.impl_version[]
    language sql volatile
    return (
        select coalesce(array_agg(row(nextval('shardkeeper.version_number'), now.name, now.impl, now.sources,
                                      latest.in_force_from + interval '1 microsecond', pg_current_xact_id(),
                                      shardkeeper.actor())::shardkeeper.impl_version), '{}')
        from (select n as name, case when i.name is not null then shardkeeper.impl_spec_json(i) end as impl,
                     shardkeeper.sources_json(n) as sources
              from unnest(names) n left join shardkeeper.impl_spec i on i.name = n) now
        left join lateral (select v.impl, v.sources, v.in_force_from from shardkeeper.impl_version v
                           where v.impl_name = now.name order by v.in_force_from desc limit 1) latest on true
        where now.impl is distinct from latest.impl or (now.impl is not null and now.sources <> latest.sources));

create function shardkeeper.changed_jobs(names text[]) returns shardkeeper.job_version[]
    language sql volatile
    return (
        select coalesce(array_agg(row(
                   nextval('shardkeeper.version_number'), n, now.spec, latest.in_force_from + interval '1 microsecond',
                   pg_current_xact_id(), shardkeeper.actor(), j.impl_spec, j.enabled,
                   case when j.name is not null then num_nonnulls(j.cron, j.every, j.run_at) > 0 end,
                   j.sharding_total_count, j.sharding_strategy, j.overlap, j.misfire_grace, j.failover, j.max_attempts,
                   j.max_takeovers, j.late_after, j.finish_within, j.priority, j.node_selector,
                   j.alert, case when j.name is not null
                                 then num_nonnulls(j.pool, j.max_running, j.concurrency_key, j.rate_limit) > 0 end,
                   j.pool, j.max_running, j.concurrency_key, j.max_running_per_key, j.rate_limit, j.rate_period,
                   j.follows, j.retention, j.parameters_schema, j.parameters_limit)::shardkeeper.job_version), '{}')
        from unnest(names) n
        left join shardkeeper.job_spec j on j.name = n
        cross join lateral (select case when j.name is not null then shardkeeper.job_spec_json(j) end as spec offset 0) now
        left join lateral (select v.spec, v.in_force_from from shardkeeper.job_version v
                           where v.job_name = n order by v.in_force_from desc limit 1) latest on true
        where now.spec is distinct from latest.spec);

-- job_spec.version says which version a row is; also after an edit that made none, or one of the column itself.
create function shardkeeper.show_versions(names text[], made shardkeeper.job_version[]) returns void
    language sql
begin atomic
    update shardkeeper.job_spec j set version = m.version
    from unnest(made) m where j.name = m.job_name and j.version is distinct from m.version;
    update shardkeeper.job_spec j set version = latest.version
    from (select n as name from unnest(names) n except select m.job_name from unnest(made) m) same
    cross join lateral (select v.version from shardkeeper.job_version v
                        where v.job_name = same.name order by v.in_force_from desc limit 1) latest
    where j.name = same.name and j.version is distinct from latest.version;
end;

create function shardkeeper.store_versions(
    impls shardkeeper.impl_version[], jobs shardkeeper.job_version[], stamp timestamptz) returns void
    language sql
begin atomic
    insert into shardkeeper.impl_version
    select m.version, m.impl_name, m.impl, m.sources, greatest(stamp, m.in_force_from), m.changed_xid, m.changed_by
    from unnest(impls) m;
    insert into shardkeeper.job_version
    select m.version, m.job_name, m.spec, greatest(stamp, m.in_force_from), m.changed_xid, m.changed_by, m.impl_spec,
           m.enabled, m.scheduled, m.sharding_total_count, m.sharding_strategy, m.overlap, m.misfire_grace, m.failover,
           m.max_attempts, m.max_takeovers, m.late_after, m.finish_within, m.priority, m.node_selector, m.alert,
           m.limited, m.pool, m.max_running, m.concurrency_key, m.max_running_per_key, m.rate_limit, m.rate_period,
           m.follows, m.retention, m.parameters_schema, m.parameters_limit
    from unnest(jobs) m;
    -- kept while the job exists: an older version with limits is in force again where a newer one is marked invalid
    insert into shardkeeper.limit_state (kind, name)
    select 'job', m.job_name from unnest(jobs) m where m.limited order by 2 on conflict do nothing;
    delete from shardkeeper.limit_state l
    where l.kind = 'job' and l.name in (select m.job_name from unnest(jobs) m where m.spec is null);
end;

create function shardkeeper.stamp_pauses(names text[], stamp timestamptz) returns void
    language sql
begin atomic
    update shardkeeper.pause p
    set since = case when p.created_xid = pg_current_xact_id() then greatest(p.since, stamp) else p.since end,
        resumed_at = case when p.resumed_xid = pg_current_xact_id() then greatest(p.resumed_at, stamp)
                          else p.resumed_at end
    where p.job_name = any (names) and p.changed_xid = pg_current_xact_id();
end;

-- What takes long is done before the lock is taken: nodes that create runs wait for stampings under way.
create function shardkeeper.stamp_versions() returns trigger
    language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC' set jit = off
as $$
declare
    me        xid8 := pg_current_xact_id();
    jobs      text[];
    impls     text[];
    pauses    text[];
    new_impls shardkeeper.impl_version[];
    new_jobs  shardkeeper.job_version[];
    gone      text[];
    stamp     timestamptz;
begin
    update shardkeeper.pending_stamp set stamping = true where xid = me;
    with noted as (delete from shardkeeper.pending_change where xid = me returning kind, name)
    select coalesce(array_agg(name order by name) filter (where kind = 'job'), '{}'),
           coalesce(array_agg(name order by name) filter (where kind = 'impl'), '{}'),
           coalesce(array_agg(name order by name) filter (where kind = 'pause'), '{}')
        into jobs, impls, pauses from noted;
    -- Whoever changes sources of one ImplSpec holds no lock that keeps another out: two would each stamp a version that
    -- lacks what the other wrote. So they pass here one by one; and its row is really written, so that whoever reads from
    -- an older snapshot (REPEATABLE READ) is refused with 40001 instead of stamping what it sees.
    perform 1 from shardkeeper.impl_spec i where i.name = any (impls) order by i.name for no key update;
    update shardkeeper.impl_spec i set description = i.description where i.name = any (impls);
    new_impls := shardkeeper.changed_impls(impls);
    new_jobs := shardkeeper.changed_jobs(jobs);
    perform shardkeeper.check_follows(new_jobs);
    perform shardkeeper.show_versions(jobs, new_jobs);

    perform pg_advisory_xact_lock_shared(shardkeeper.versions_lock_key());
    stamp := clock_timestamp();
    perform shardkeeper.store_versions(new_impls, new_jobs, stamp);
    perform shardkeeper.stamp_pauses(pauses, stamp);
    select array_agg(m.job_name order by m.job_name) into gone from unnest(new_jobs) m where m.spec is null;
    if gone is not null then
        perform shardkeeper.close_deleted(gone);
    end if;
    delete from shardkeeper.pending_stamp where xid = me;
    perform shardkeeper.tell_specs(
        array(select m.job_name from unnest(new_jobs) m union select unnest(pauses)),
        array(select m.impl_name from unnest(new_impls) m));
    return null;
end
$$;
create constraint trigger stamped after insert on shardkeeper.pending_stamp
    deferrable initially deferred for each row execute function shardkeeper.stamp_versions();
