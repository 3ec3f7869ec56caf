-- The sweep: accounting for fires that nobody created a run for in time (docs/architecture.md, rule 9).
--
-- It reads a slice of jobs over the whole window, the domain decides what becomes of their fires, and the decisions are
-- applied only if nothing that they rest on has changed since, with creations and stampings of versions shut out
-- meanwhile: every fire of the cluster waits for that, so only what is new is looked for, and nothing read again.

-- The versions of a job not marked invalid that are in force in (from, until], oldest first.
create function shardkeeper.job_versions_in(p_job text, p_from timestamptz, p_until timestamptz)
    returns setof shardkeeper.job_version language sql stable as $$
    select v.* from shardkeeper.job_version v
     where v.job_name = p_job and v.in_force_from <= p_until
       and v.in_force_from >= coalesce(
           (select b.in_force_from from shardkeeper.job_version_at(p_job, p_from) b), '-infinity')
       and not exists (select from shardkeeper.spec_problem p where p.version = v.version and not p.of_impl)
     order by v.in_force_from, v.version
$$;

create function shardkeeper.impl_versions_in(p_impl text, p_from timestamptz, p_until timestamptz)
    returns setof shardkeeper.impl_version language sql stable as $$
    select v.* from shardkeeper.impl_version v
     where v.impl_name = p_impl and v.in_force_from <= p_until
       and v.in_force_from >= coalesce(
           (select b.in_force_from from shardkeeper.impl_version_at(p_impl, p_from) b), '-infinity')
       and not exists (select from shardkeeper.spec_problem p where p.version = v.version and p.of_impl)
     order by v.in_force_from, v.version
$$;

-- The jobs after `p_after` that have fires of their own in the window, by name, each with its versions that are in force
-- in it or came later (a job switched off since then has its fires skipped), oldest first. Read in one go by the index,
-- as most of them will be found to have no fire in it.
create function shardkeeper.swept_jobs(p_from timestamptz, p_until timestamptz, p_after text, p_limit integer)
    returns table (job_name text, versions bigint[]) language plpgsql stable
    set enable_seqscan = off set enable_sort = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
begin
    return query
        select k.job_name, array_agg(k.version order by k.in_force_from, k.version)
          from (select v.job_name, v.version, v.in_force_from, v.scheduled,
                       lag(v.in_force_from) over (partition by v.job_name
                                                  order by v.in_force_from desc, v.version desc) as until
                  from shardkeeper.job_version v
                 where v.job_name > p_after
                   and not exists (select from shardkeeper.spec_problem p
                                    where p.version = v.version and not p.of_impl)) k
         where k.until is null or k.until > p_from
         group by k.job_name
        having bool_or(k.scheduled and k.in_force_from <= p_until)
         order by k.job_name limit p_limit;
end
$$;

-- Everything that is decided from of these jobs, in one value.
create function shardkeeper.read_slice(p_from timestamptz, p_until timestamptz, p_names text[])
    returns jsonb language plpgsql stable as $$
begin
    return jsonb_build_object(
        'now', shardkeeper.instant_text(clock_timestamp()),
        'jobs', (
            select coalesce(jsonb_agg(jsonb_build_object(
                'job_name', j.name,
                'versions', (
                    -- none, where they were marked since the job was listed
                    select coalesce(jsonb_agg(jsonb_build_object('version', v.version, 'spec', v.spec, 'in_force_from',
                                     shardkeeper.instant_text(v.in_force_from)) order by v.in_force_from, v.version), '[]')
                      -- those of after the window too: a job switched off since then has its fires skipped
                      from shardkeeper.job_versions_in(j.name, p_from, 'infinity') v),
                'pauses', (
                    select coalesce(jsonb_agg(jsonb_build_object('since', shardkeeper.instant_text(u.since), 'until',
                                     shardkeeper.instant_text(least(u.until, u.resumed_at)), 'reason', u.reason)
                                     order by u.since, u.id), '[]')
                      from shardkeeper.pause u
                     where u.job_name = j.name and coalesce(least(u.until, u.resumed_at) > p_from, true)),
                'existing', (
                    select coalesce(jsonb_agg(shardkeeper.instant_text(e)), '[]')
                      from shardkeeper.fires_existing(j.name, p_from, p_until) e)) order by j.name), '[]')
              from unnest(p_names) j (name)),
        'impls', (
            select coalesce(jsonb_agg(jsonb_build_object('impl_name', v.impl_name, 'version', v.version, 'impl', v.impl,
                       'sources', v.sources, 'in_force_from', shardkeeper.instant_text(v.in_force_from))
                       order by v.impl_name, v.in_force_from, v.version), '[]')
              from (select distinct v.impl_spec as name
                      from unnest(p_names) j (name)
                     cross join lateral shardkeeper.job_versions_in(j.name, p_from, p_until) v
                     where v.impl_spec is not null) i
             cross join lateral shardkeeper.impl_versions_in(i.name, p_from, p_until) v));
end
$$;

-- The instants in the window that stand as runs of a job, or as the ends of records.
create function shardkeeper.fires_existing(p_job text, p_from timestamptz, p_until timestamptz)
    returns setof timestamptz language sql stable as $$
    select distinct e.at
      from shardkeeper.job_run r
     cross join lateral (values (r.fire_time), (r.fire_until)) e (at)
     where r.job_name = p_job and r.trigger_kind in ('schedule', 'misfire')
       and r.fire_time > p_from and r.fire_time <= p_until and e.at is not null
$$;

-- Whether any of these changes is of a job of the slice, or of an ImplSpec of one.
create function shardkeeper.slice_changed(p_seen pg_snapshot, p_after text, p_upto text) returns boolean
    language plpgsql stable as $$
declare
    v_changed record := shardkeeper.changes_since(p_seen);
begin
    -- nearly always: the jobs of the slice are looked through for an ImplSpec only where one has changed
    if v_changed.jobs is null then
        return false;
    end if;
    return exists (select from unnest(v_changed.jobs) j (name)
                    where j.name > p_after and (p_upto is null or j.name <= p_upto))
        or array_remove(v_changed.impls, null) <> '{}'
           and exists (select from shardkeeper.job_version v
                        where v.impl_spec = any (v_changed.impls) and v.job_name > p_after
                          and (p_upto is null or v.job_name <= p_upto));
end
$$;

-- What the port's sweep_begin begins with; null: not this incarnation's duty, or nothing to sweep yet. The jobs that come
-- next, at most so many, with the numbers of their versions; `upto`: the last of them, where there is one more after it.
-- `fingerprint`: what could be seen before they were read.
create function shardkeeper.sweep_begin(p_incarnation text, p_lag interval, p_hold interval, p_limit integer)
    returns json language plpgsql as $$
declare
    v_state shardkeeper.sweep_state;
    v_seen  pg_snapshot;
begin
    if not shardkeeper.hold_duty('sweep', p_incarnation, p_hold) then
        return null;
    end if;
    select * into v_state from shardkeeper.sweep_state for no key update;
    if v_state.window_until is null then
        if clock_timestamp() - p_lag <= v_state.watermark then
            return null;
        end if;
        update shardkeeper.sweep_state set window_until = clock_timestamp() - p_lag, cursor = ''
        returning * into v_state;
    end if;
    v_seen := pg_current_snapshot();
    return (
        select json_build_object(
                   'window_from', shardkeeper.instant_text(v_state.watermark),
                   'window_until', shardkeeper.instant_text(v_state.window_until),
                   'after', v_state.cursor, 'fingerprint', v_seen::text,
                   'upto', max(n.job_name) filter (where n.place = p_limit and n.more),
                   'jobs', coalesce(json_agg(json_build_array(n.job_name, n.versions) order by n.place)
                                        filter (where n.place <= p_limit), '[]'))
          from (select j.job_name, j.versions, j.place, count(*) over () > p_limit as more
                  from shardkeeper.swept_jobs(v_state.watermark, v_state.window_until, v_state.cursor, p_limit + 1)
                       with ordinality j (job_name, versions, place)) n);
end
$$;

-- Inserts MISSED and SKIPPED records with the alerts of those missed.
create function shardkeeper.insert_records(p_records jsonb) returns void
    language plpgsql as $$
begin
    with made as (
        insert into shardkeeper.job_run (job_name, fire_time, fire_until, missed_count, trigger_kind, status, reason,
                                         job_version, finished_at)
        select c.job, c.fire, c.until, c.count, 'misfire', c.status, c.reason, c.jv, clock_timestamp()
          from jsonb_to_recordset(p_records) c (job text, fire timestamptz, until timestamptz, count integer,
                                                status text, reason text, jv bigint)
         order by c.job, c.fire
        on conflict do nothing
        returning *)
    insert into shardkeeper.alert (event_key, kind, job_name, run_id, channel, body)
    select 'run:' || m.id || ':missed', 'missed', m.job_name, m.id, v.alert ->> 'channel',
           jsonb_strip_nulls(jsonb_build_object(
               'job_name', m.job_name, 'run', shardkeeper.run_name(m.job_name, m.fire_time), 'run_id', m.id,
               'fire_time', shardkeeper.instant_text(m.fire_time), 'fire_until', shardkeeper.instant_text(m.fire_until),
               'missed_count', m.missed_count, 'reason', m.reason, 'owner', v.spec ->> 'owner',
               'mention', v.alert ->> 'mention', 'channel', v.alert ->> 'channel',
               'runbook_url', v.alert ->> 'runbook_url'))
      from made m left join shardkeeper.job_version v on v.version = m.job_version
     where m.status = 'MISSED' and (not coalesce(v.alert, '{}') ? 'on' or v.alert -> 'on' ? 'missed')
    on conflict (event_key) do nothing;
end
$$;

-- live_run rows whose run is closed, or gone: there should be none.
create function shardkeeper.clear_live() returns integer
    language plpgsql as $$
declare
    v_jobs text[];
    v_runs bigint[];
begin
    select array_agg(s.job_name), array_agg(s.run_id) into v_jobs, v_runs
      from (select l.job_name, l.run_id from shardkeeper.live_run l
              left join shardkeeper.job_run r on r.id = l.run_id and r.fire_time = l.fire_time
             where r.id is null or r.status not in ('CREATED', 'RUNNING')
             order by l.job_name for no key update of l) s;
    if v_jobs is not null then
        perform shardkeeper.release_live(v_jobs, v_runs);
    end if;
    return coalesce(cardinality(v_jobs), 0);
end
$$;

-- Shuts stampings and creations out until the transaction ends. Whoever waits for an exclusive key holds up all that come
-- after: so it gives up soon (55P03) where one of those it waits for is held up itself, and the next round tries again.
create function shardkeeper.shut_out_creations(p_patience interval) returns void
    language plpgsql as $$
declare
    v_usual text := current_setting('lock_timeout');
begin
    perform set_config('lock_timeout', (extract(epoch from p_patience) * 1000)::integer::text, true);
    perform pg_advisory_xact_lock(shardkeeper.versions_lock_key());
    perform pg_advisory_xact_lock(shardkeeper.creation_lock_key());
    perform set_config('lock_timeout', v_usual, true);
end
$$;

-- The port's sweep_apply: `p_runs` is an array of {job, fire, jv, iv, total, nodes}, `p_records` of {job, fire, until,
-- count, status, reason, jv}, `p_existing` of {job, fires} for the jobs of both: how many fires of the window existed.
-- There are never fewer, and those of other jobs leave nothing to do. False: something changed since it was read.
create function shardkeeper.sweep_apply(
    p_incarnation text, p_from timestamptz, p_until timestamptz, p_cursor text, p_fingerprint text, p_runs jsonb,
    p_records jsonb, p_existing jsonb, p_patience interval) returns boolean language plpgsql as $$
declare
    v_state shardkeeper.sweep_state;
    v_upto  text := p_cursor::jsonb ->> 1;
begin
    perform shardkeeper.shut_out_creations(p_patience);
    if shardkeeper.lock_own_lease(p_incarnation, array['active', 'draining']) is null
       or not exists (select from shardkeeper.duty d where d.name = 'sweep' and d.incarnation = p_incarnation) then
        return false;
    end if;
    select * into v_state from shardkeeper.sweep_state for no key update;
    if v_state.watermark is distinct from p_from or v_state.window_until is distinct from p_until
       or v_state.cursor is distinct from p_cursor::jsonb ->> 0
       or shardkeeper.slice_changed(p_fingerprint::pg_snapshot, v_state.cursor, v_upto)
       or exists (select from jsonb_to_recordset(p_existing) e (job text, fires integer)
                   where (select count(*) from shardkeeper.fires_existing(e.job, p_from, p_until)) <> e.fires) then
        return false;
    end if;

    perform shardkeeper.insert_runs(
        (select array_agg(row(q.ord, nextval('shardkeeper.run_id'), q.job, q.fire, q.jv, q.iv, q.total, '{}'::integer[],
                              q.nodes, 'made', null, v.overlap, v.priority)::shardkeeper.creation order by q.job, q.fire)
           from jsonb_to_recordset(p_runs) as q (ord integer, job text, fire timestamptz, jv bigint, iv bigint,
                                                 total integer, nodes text[])
           join shardkeeper.job_version v on v.version = q.jv),
        'misfire', p_incarnation, null);
    perform shardkeeper.insert_records(p_records);
    if v_upto is null then
        perform shardkeeper.clear_live();
        update shardkeeper.sweep_state set watermark = p_until, window_until = null, cursor = '';
    else
        update shardkeeper.sweep_state set cursor = v_upto;
    end if;
    return true;
end
$$;
