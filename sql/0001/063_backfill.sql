-- Backfill: runs for fires of the past that have none. Which fires those are is worked out where schedules are (the
-- domain), from what is read here.

create function shardkeeper.backfill_lock_key() returns bigint
    language sql immutable parallel safe
    return 6363318106;

-- Fires from `p_since` to before `p_until` that ran, run or will. MISSED and SKIPPED records are fires that have not.
create function shardkeeper.fires_with_run(p_job text, p_since timestamptz, p_until timestamptz) returns timestamptz[]
    language sql stable as $$
    select coalesce(array_agg(distinct f.fire_time), '{}')
      -- either index holds some of the kinds
      from (select r.fire_time from shardkeeper.job_run r
             where r.job_name = p_job and r.fire_time >= p_since and r.fire_time < p_until
               and r.trigger_kind in ('schedule', 'misfire') and r.status not in ('MISSED', 'SKIPPED')
             union all
            select r.fire_time from shardkeeper.job_run r
             where r.job_name = p_job and r.fire_time >= p_since and r.fire_time < p_until
               and r.trigger_kind not in ('schedule', 'misfire') and r.trigger_kind = 'backfill') f
$$;

-- The port's past.
create function shardkeeper.backfill_past(p_job text, p_since timestamptz, p_until timestamptz) returns jsonb
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    with versions as (
        select v.* from shardkeeper.job_version v
         where v.job_name = p_job
           and not exists (select from shardkeeper.spec_problem p where p.version = v.version and not p.of_impl))
    select jsonb_build_object(
        'jobs', (
            select coalesce(jsonb_agg(jsonb_build_object(
                       'job_name', v.job_name, 'version', v.version, 'spec', v.spec, 'in_force_from',
                       shardkeeper.instant_text(v.in_force_from)) order by v.in_force_from, v.version), '[]')
              from versions v),
        'impls', (
            select coalesce(jsonb_agg(jsonb_build_object(
                       'impl_name', i.impl_name, 'version', i.version, 'impl', i.impl, 'sources', i.sources,
                       'in_force_from', shardkeeper.instant_text(i.in_force_from))
                       order by i.impl_name, i.in_force_from, i.version), '[]')
              from shardkeeper.impl_version i
             where i.impl_name in (select v.impl_spec from versions v)
               and not exists (select from shardkeeper.spec_problem p where p.version = i.version and p.of_impl)),
        'with_run', (
            select coalesce(jsonb_agg(shardkeeper.instant_text(f)), '[]')
              from unnest(shardkeeper.fires_with_run(p_job, p_since, p_until)) f),
        'swept_until', (select shardkeeper.instant_text(s.watermark) from shardkeeper.sweep_state s))
$$;

-- The port's backfill: `p_runs` is an array of {ord, job, fire, jv, iv, total, nodes} of this job.
create function shardkeeper.backfill_runs(p_job text, p_runs jsonb) returns bigint[]
    language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_with_run timestamptz[];
    v_ids      bigint[];
begin
    perform shardkeeper.orderable(p_job);
    -- two who fill the same gap make its runs once
    perform pg_advisory_xact_lock(shardkeeper.backfill_lock_key());
    select shardkeeper.fires_with_run(p_job, min(q.fire), max(q.fire) + interval '1 microsecond') into v_with_run
      from jsonb_to_recordset(p_runs) as q (fire timestamptz);
    select array_agg(i.run_id) into v_ids
      from shardkeeper.insert_runs(
           (select array_agg(row(q.ord, nextval('shardkeeper.run_id'), p_job, q.fire, q.jv, q.iv, q.total,
                                 '{}'::integer[], q.nodes, 'made', null, v.overlap, v.priority)::shardkeeper.creation
                             order by q.fire)
              from jsonb_to_recordset(p_runs) as q (ord integer, fire timestamptz, jv bigint, iv bigint, total integer,
                                                    nodes text[])
              join shardkeeper.job_version v on v.version = q.jv and v.job_name = p_job
             where q.fire <> all (v_with_run)), 'backfill', null, null) i;
    if v_ids is null then
        return '{}';
    end if;
    update shardkeeper.job_run r set requested_by = shardkeeper.actor()
     where r.id = any (v_ids) and r.job_name = p_job and r.trigger_kind = 'backfill';
    perform shardkeeper.note_order('backfill', p_job, jsonb_build_object('run_ids', v_ids));
    perform shardkeeper.tell_work(false);
    return array(select r.id from shardkeeper.job_run r where r.id = any (v_ids) order by r.fire_time, r.id);
end
$$;
