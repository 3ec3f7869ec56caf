-- Housekeeping: every step is idempotent and short, and may be repeated by any node.

-- One `late` alert for each limit that a run has passed, or had passed since the last look. Only jobs whose version names
-- such a limit are looked at: each by the index over its fire times.
create function shardkeeper.tell_lateness() returns integer
    language plpgsql set jit = off
as $$
declare
    now   timestamptz := clock_timestamp();
    since timestamptz;
    told  integer;
begin
    select h.late_until into since from shardkeeper.house_state h for no key update;
    with watched as (
        select distinct v.job_name, greatest(v.late_after, v.finish_within) as longest from shardkeeper.job_version v
        where v.late_after is not null or v.finish_within is not null),
    runs as (
        -- open ones, however old
        select r.* from (select distinct s.run_id, s.fire_time from shardkeeper.shard_run s
                         where s.status in ('PENDING', 'RUNNING')
                               and s.job_name in (select w.job_name from watched w)) o
        join shardkeeper.job_run r on r.id = o.run_id and r.fire_time = o.fire_time
        union all
        select r.* from (select w.job_name, max(w.longest) as longest from watched w group by 1) w
        join shardkeeper.job_run r on r.job_name = w.job_name and r.fire_time >= since - w.longest - interval '1 day'
        where r.finished_at > since and r.started_at is not null and r.status in ('COMPLETED', 'FAILED', 'STOPPED')),
    late as (
        select r.id, r.fire_time, limits.which
        from runs r join shardkeeper.job_version v on v.version = r.job_version
        cross join lateral (values
            ('late_after', v.late_after, coalesce(r.started_at, now)),
            ('finish_within', v.finish_within, coalesce(r.finished_at, now))) limits (which, most, reached)
        where limits.reached - r.fire_time > limits.most and (not v.alert ? 'on' or v.alert -> 'on' ? 'late'))
    insert into shardkeeper.alert (event_key, kind, job_name, run_id, channel, body)
    select 'run:' || l.id || ':late:' || l.which, 'late', r.job_name, r.id, v.alert ->> 'channel',
           shardkeeper.alert_body(r, coalesce(t.failures_in_a_row, 0), t.last_success_at)
               || jsonb_build_object('which', l.which)
    from late l
    join shardkeeper.job_run r on r.id = l.id and r.fire_time = l.fire_time
    join shardkeeper.job_version v on v.version = r.job_version
    left join shardkeeper.job_state t on t.job_name = r.job_name
    on conflict (event_key) do nothing;
    get diagnostics told = row_count;
    update shardkeeper.house_state set late_until = now;
    return told;
end
$$;

-- Whether every run and attempt of a day has ended.
create function shardkeeper.day_is_closed(day date) returns boolean
    language plpgsql stable set timezone = 'UTC'
as $$
declare
    first timestamptz := day::timestamptz;
    last  timestamptz := (day + 1)::timestamptz;
begin
    return not exists (select from shardkeeper.shard_run s where s.fire_time >= first and s.fire_time < last
                       and s.status = 'PENDING' and not s.waiting)
       and not exists (select from shardkeeper.shard_run s where s.fire_time >= first and s.fire_time < last
                       and s.status = 'RUNNING')
       and not exists (select from shardkeeper.job_run r where r.fire_time >= first and r.fire_time < last and r.waiting)
       and not exists (select from shardkeeper.job_run r where r.fire_time >= first and r.fire_time < last
                       and r.status in ('CREATED', 'RUNNING'));
end
$$;

-- Days that have partitions and lie wholly before an instant, oldest first.
create function shardkeeper.days_before(instant timestamptz) returns setof date
    language sql stable set timezone = 'UTC'
begin atomic
    select distinct d.day from pg_catalog.pg_inherits i
    join pg_catalog.pg_class c on c.oid = i.inhrelid
    cross join lateral (select shardkeeper.partition_day(c.relname::text) as day) d
    where i.inhparent in ('shardkeeper.job_run'::regclass, 'shardkeeper.shard_run'::regclass,
                          'shardkeeper.calculate_value'::regclass)
          and (d.day + 1)::timestamptz <= instant
    order by 1;
end;

-- Drops the three partitions of a day when nothing in it is open. The caller sets lock_timeout: the parents are
-- locked for the instant of the dropping.
create function shardkeeper.drop_day(day date) returns integer
    language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    parent  text;
    leaf    text;
    dropped integer := 0;
begin
    lock table shardkeeper.job_run, shardkeeper.shard_run, shardkeeper.calculate_value in access exclusive mode;
    if not shardkeeper.day_is_closed(day) then
        return 0;
    end if;
    foreach parent in array array['calculate_value', 'shard_run', 'job_run'] loop
        leaf := shardkeeper.partition_name(parent, day);
        if to_regclass('shardkeeper.' || quote_ident(leaf)) is not null then
            execute format('drop table shardkeeper.%I', leaf);
            dropped := dropped + 1;
        end if;
    end loop;
    return dropped;
end
$$;

-- Days of which DEFAULT holds rows and that may get a partition: not those that retention would drop at once.
create function shardkeeper.days_in_default(earliest timestamptz, latest timestamptz) returns setof date
    language sql stable set timezone = 'UTC'
begin atomic
    select r.fire_time::date from shardkeeper.job_run_default r where r.fire_time >= earliest and r.fire_time < latest
    union
    select s.fire_time::date from shardkeeper.shard_run_default s where s.fire_time >= earliest and s.fire_time < latest
    union
    select c.fire_time::date from shardkeeper.calculate_value_default c
    where c.fire_time >= earliest and c.fire_time < latest;
end;

-- Since when something is kept: longer than from `before` on where a job asks for that.
create function shardkeeper.kept_since(before timestamptz) returns timestamptz
    language sql stable
begin atomic
    select least(before, clock_timestamp() - max(j.retention)) from shardkeeper.job_spec j where j.retention is not null;
end;

-- Deletes at most `most` closed runs of a job that are older than `before`, with all that is of them. Both ends of a run
-- count: one that was created late, or ran for long, is young for as long as any other.
create function shardkeeper.forget_runs(job text, before timestamptz, most integer) returns bigint
    language plpgsql security definer set search_path = pg_catalog, pg_temp set jit = off
    set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
declare
    runs  bigint[];
    fires timestamptz[];
    keys  text[];
begin
    select array_agg(o.id), array_agg(o.fire_time), array_agg(o.idempotency_key) into runs, fires, keys
    from (select r.id, r.fire_time, r.idempotency_key from shardkeeper.job_run r
          where r.job_name = job and r.trigger_kind in ('schedule', 'misfire') and r.fire_time < before
                and coalesce(r.fire_until < before, true) and r.finished_at < before
                and r.status not in ('CREATED', 'RUNNING')
          union all
          select r.id, r.fire_time, r.idempotency_key from shardkeeper.job_run r
          where r.job_name = job and r.trigger_kind not in ('schedule', 'misfire') and r.fire_time < before
                and r.finished_at < before and r.status not in ('CREATED', 'RUNNING')
          limit most) o;
    if runs is null then
        return 0;
    end if;
    delete from shardkeeper.calculate_value c using unnest(runs, fires) o (id, fire_time)
    where c.run_id = o.id and c.fire_time = o.fire_time;
    delete from shardkeeper.shard_run s using unnest(runs, fires) o (id, fire_time)
    where s.run_id = o.id and s.fire_time = o.fire_time;
    delete from shardkeeper.idempotency_key k using unnest(runs, keys) o (id, key)
    where k.job_name = job and k.key = o.key and k.run_id = o.id;
    delete from shardkeeper.job_run r using unnest(runs, fires) o (id, fire_time)
    where r.id = o.id and r.fire_time = o.fire_time;
    return cardinality(runs);
end
$$;

-- Deletes at most `most` runs of jobs that keep theirs for less than all others do, which is from `before` on. Each call
-- goes on where the last one ended, at the next job: so none of them waits for ever for its turn.
create function shardkeeper.forget_by_job(before timestamptz, most integer) returns bigint
    language plpgsql security definer set search_path = pg_catalog, pg_temp set jit = off
as $$
declare
    now    timestamptz := clock_timestamp();
    done   text;
    swept  timestamptz;
    seen   integer := 0;
    total  bigint := 0;
    each   record;
begin
    select h.retained_to into done from shardkeeper.house_state h for no key update;
    -- of a later fire the sweep, or a node, would find no run, and make another
    select w.watermark into swept from shardkeeper.sweep_state w;
    for each in
        select j.name, j.retention from shardkeeper.job_spec j
        where j.retention is not null and j.retention < now - before and j.name > done
        order by j.name limit 2000
    loop
        seen := seen + 1;
        done := each.name;
        total := total + shardkeeper.forget_runs(each.name, least(now - each.retention, swept), (most - total)::integer);
        exit when total >= most;
    end loop;
    update shardkeeper.house_state set retained_to = case when seen < 2000 and total < most then '' else done end;
    return total;
end
$$;

-- What is older than `before` and lies in no partition of its own; rows deleted, at most `most` of each kind.
-- As its owner: nodes may not delete versions and audit as such, nor name partitions.
create function shardkeeper.forget(before timestamptz, most integer) returns bigint
    language plpgsql security definer set search_path = pg_catalog, pg_temp set jit = off
as $$
declare
    total bigint := 0;
    part  bigint;
begin
    with old as (select r.id, r.fire_time from shardkeeper.job_run_default r
                 left join shardkeeper.job_spec j on j.name = r.job_name and j.retention is not null
                 cross join lateral (select least(before, clock_timestamp() - j.retention) as since) kept
                 where coalesce(r.fire_until, r.fire_time) < kept.since
                       and coalesce(r.finished_at, r.created_at) < kept.since
                       and r.status not in ('CREATED', 'RUNNING') limit most),
    gone_values as (delete from shardkeeper.calculate_value_default c using old
                    where c.run_id = old.id and c.fire_time = old.fire_time),
    gone_attempts as (delete from shardkeeper.shard_run_default s using old
                      where s.run_id = old.id and s.fire_time = old.fire_time)
    delete from shardkeeper.job_run_default r using old where r.id = old.id and r.fire_time = old.fire_time;
    get diagnostics part = row_count;
    total := total + part;

    delete from shardkeeper.idempotency_key k where (k.job_name, k.key) in (
        select o.job_name, o.key from shardkeeper.idempotency_key o
        where o.created_at < before and o.fire_time < before
              and not exists (select from shardkeeper.job_run r where r.id = o.run_id and r.fire_time = o.fire_time)
        order by o.created_at limit most);
    get diagnostics part = row_count;
    total := total + part;

    delete from shardkeeper.follow_gate g where (g.job_name, g.flow) in (
        select o.job_name, o.flow from shardkeeper.follow_gate o where o.opened_at < before
        order by o.opened_at limit most);
    get diagnostics part = row_count;
    total := total + part;

    delete from shardkeeper.alert a where a.alert_id in (
        select o.alert_id from shardkeeper.alert o
        where o.created_at < before and (o.sent_at is not null or o.gave_up_at is not null)
        order by o.alert_id limit most);
    get diagnostics part = row_count;
    total := total + part;

    delete from shardkeeper.audit_log a where a.audit_id in (
        select o.audit_id from shardkeeper.audit_log o where o.happened_at < before order by o.happened_at limit most);
    get diagnostics part = row_count;
    total := total + part;

    -- the newest lease of a node stays: views may still name it
    delete from shardkeeper.lease l
    where l.state = 'dead' and l.beaten_at < before
          and exists (select from shardkeeper.lease n where n.node_id = l.node_id and n.joined_at > l.joined_at);
    get diagnostics part = row_count;
    total := total + part;

    delete from shardkeeper.pause p where coalesce(p.resumed_at, p.until) < before;
    get diagnostics part = row_count;
    total := total + part;
    return total + shardkeeper.forget_versions(shardkeeper.kept_since(before), most);
end
$$;

-- Versions that neither a run nor the sweep can ask for any more: out of force before `before`, and pinned by no run
-- that may still be open. Marks go with them.
create function shardkeeper.forget_versions(before timestamptz, most integer) returns bigint
    language plpgsql
as $$
declare
    gone      bigint[];
    impl_gone bigint[];
begin
    select least(before, w.watermark) into before from shardkeeper.sweep_state w;
    with followed as (
        select v.version, lead(v.in_force_from) over (partition by v.job_name order by v.in_force_from) as until
        from shardkeeper.job_version v),
    pinned as (
        select r.job_version from (select distinct s.run_id, s.fire_time from shardkeeper.shard_run s
                                   where s.status in ('PENDING', 'RUNNING')) o
        join shardkeeper.job_run r on r.id = o.run_id and r.fire_time = o.fire_time)
    select array_agg(f.version) into gone from (
        select f.version from followed f
        where f.until < before and f.version not in (select p.job_version from pinned p)
              -- the last valid version stays as long as what follows is marked invalid
              and exists (select from shardkeeper.job_version n join shardkeeper.job_version o on o.job_name = n.job_name
                          where o.version = f.version and n.in_force_from > o.in_force_from and n.in_force_from < before
                                and not exists (select from shardkeeper.spec_problem p where p.version = n.version))
        limit most) f;
    with followed as (
        select v.version, lead(v.in_force_from) over (partition by v.impl_name order by v.in_force_from) as until
        from shardkeeper.impl_version v),
    pinned as (
        select r.impl_version from (select distinct s.run_id, s.fire_time from shardkeeper.shard_run s
                                    where s.status in ('PENDING', 'RUNNING')) o
        join shardkeeper.job_run r on r.id = o.run_id and r.fire_time = o.fire_time
        where r.impl_version is not null)
    select array_agg(f.version) into impl_gone from (
        select f.version from followed f
        where f.until < before and f.version not in (select p.impl_version from pinned p)
              and exists (select from shardkeeper.impl_version n join shardkeeper.impl_version o on o.impl_name = n.impl_name
                          where o.version = f.version and n.in_force_from > o.in_force_from and n.in_force_from < before
                                and not exists (select from shardkeeper.spec_problem p where p.version = n.version))
        limit most) f;
    delete from shardkeeper.job_version v where v.version = any (gone);
    delete from shardkeeper.impl_version v where v.version = any (impl_gone);
    delete from shardkeeper.spec_problem p where p.version = any (gone || impl_gone);
    return coalesce(cardinality(gone), 0) + coalesce(cardinality(impl_gone), 0);
end
$$;

-- Runs of deleted jobs that were created while the deletion was being committed.
create function shardkeeper.close_orphans() returns void
    language plpgsql
as $$
declare
    jobs text[];
begin
    select array_agg(distinct o.job_name) into jobs
    from (select s.job_name from shardkeeper.shard_run s where s.status = 'PENDING' and not s.waiting
          union select r.job_name from shardkeeper.job_run r where r.waiting) o
    where not exists (select from shardkeeper.job_spec j where j.name = o.job_name);
    if jobs is not null then
        perform shardkeeper.close_deleted(jobs);
    end if;
end
$$;
