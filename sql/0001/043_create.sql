-- Creating the runs of scheduled fires, each with all its attempts, or claiming of those that exist
-- (docs/architecture.md, rules 1, 3 and 10).

-- One request on its way through create_runs.
create type shardkeeper.creation as (
    ord           integer,
    -- of a run or record to be made
    run_id        bigint,
    job_name      text,
    fire_time     timestamptz,
    job_version   bigint,
    impl_version  bigint,
    total         integer,
    claim_items   integer[],
    nodes         text[],
    -- made (to be inserted), or the answer: early, not_in_force, old, absent
    outcome       text,
    -- why it is inserted as a SKIPPED record
    held          text,
    overlap       text,
    priority      smallint
);

-- A version that is stamped keeps the versions' key shared until it is committed. Passing that key exclusively, for an
-- instant, waits for every stamping under way; whoever stamps later stamps later than this instant. So what is read
-- afterwards is all that is in force at any fire time up to now. The key is let go by rolling back to the savepoint: a
-- creation must not hold up others, nor leave it behind in its session when it is cancelled.
create function shardkeeper.await_stampings() returns void
    language plpgsql as $$
begin
    perform pg_advisory_xact_lock(shardkeeper.versions_lock_key());
    raise exception using errcode = 'SK001';
exception when sqlstate 'SK001' then
    null;
end
$$;

-- The latest version not marked invalid that is in force at an instant: a row or none. (Set-returning, so that it is
-- inlined where it is used.)
create function shardkeeper.job_version_at(p_job text, p_at timestamptz) returns setof shardkeeper.job_version
    language sql stable as $$
    select v.* from shardkeeper.job_version v
     where v.job_name = p_job and v.in_force_from <= p_at
       and not exists (select from shardkeeper.spec_problem p where p.version = v.version and not p.of_impl)
     order by v.in_force_from desc, v.version desc limit 1
$$;

create function shardkeeper.impl_version_at(p_impl text, p_at timestamptz) returns setof shardkeeper.impl_version
    language sql stable as $$
    select v.* from shardkeeper.impl_version v
     where v.impl_name = p_impl and v.in_force_from <= p_at
       and not exists (select from shardkeeper.spec_problem p where p.version = v.version and p.of_impl)
     order by v.in_force_from desc, v.version desc limit 1
$$;

-- What is to become of each request by the versions, the pauses and the clock, which must be past the fire: what is stamped
-- at the very instant counts for it. A fire that was in force is held all the same when its job was disabled, deleted or
-- paused between the fire and now.
create function shardkeeper.judge_creations(p_requests jsonb, p_window interval, p_node text, p_now timestamptz)
    returns shardkeeper.creation[]
    language plpgsql
    set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
    -- stands still: the caller holds the creation key
    v_swept timestamptz := (select coalesce(w.window_until, w.watermark) from shardkeeper.sweep_state w);
    -- of these the creator claims nothing here: it holds new keys, and could not wait for the limits in their order
    v_limited text[] := array(select l.job_name from unnest(shardkeeper.limits_of(array(
        select q.job from jsonb_to_recordset(p_requests) as q (job text)))) l);
begin
    return (
        select array_agg(row(j.ord, case when j.outcome = 'made' then nextval('shardkeeper.run_id') end, j.job, j.fire,
                   j.jv, j.iv, j.total,
                   array(select i from unnest(j.claim) i
                          where i between 0 and j.total - 1 and coalesce(j.nodes[i + 1] = p_node, true)
                            and j.job <> all (v_limited)),
                   j.nodes, j.outcome,
                   case when j.outcome = 'made' then coalesce(
                       (select case when v.spec is null then 'deleted' else 'disabled' end
                          from shardkeeper.job_version v
                         where v.job_name = j.job and v.in_force_from > j.fire and v.in_force_from <= p_now
                           and (v.spec is null or not v.enabled)
                           and not exists (select from shardkeeper.spec_problem p
                                            where p.version = v.version and not p.of_impl)
                         order by v.in_force_from desc, v.version desc limit 1),
                       (select 'paused' || coalesce(': ' || u.reason, '')
                          from shardkeeper.pause u
                         where u.job_name = j.job and u.since <= p_now
                           and coalesce(least(u.until, u.resumed_at) > j.fire, true)
                         order by u.since desc limit 1)) end,
                   j.overlap, j.priority)::shardkeeper.creation
               order by j.job, j.fire)
          from (select q.*, f.overlap, f.priority,
                       case when q.fire >= p_now then 'early'
                            when f.version is distinct from q.jv or not coalesce(f.enabled, false)
                                 or i.version is distinct from q.iv then 'not_in_force'
                            when p_now - q.fire >= least(p_window, f.misfire_grace)
                                 -- whatever the caller's window is: the sweep is past it, or at it
                                 or q.fire <= v_swept then 'old'
                            when not q.make then 'absent'
                            else 'made' end as outcome
                  from jsonb_to_recordset(p_requests) as q (ord integer, job text, fire timestamptz, jv bigint,
                           iv bigint, total integer, claim integer[], nodes text[], make boolean)
                  left join lateral shardkeeper.job_version_at(q.job, q.fire) f on true
                  left join lateral shardkeeper.impl_version_at(f.impl_spec, q.fire) i on true) j);
end
$$;

-- Lets runs that were just inserted compete for their jobs' one live_run row. Returns those that lost, with the run in
-- the way. The upsert changes nothing in a row that stands: it locks it and says whose it is, in one step.
create function shardkeeper.compete_for_live(p_jobs text[], p_runs bigint[], p_fires timestamptz[])
    returns table (run_id bigint, holder bigint, holder_fire timestamptz) language plpgsql as $$
#variable_conflict use_column
declare
    v_jobs  text[];
    v_runs  bigint[];
    v_fires timestamptz[];
begin
    with held as (
        insert into shardkeeper.live_run (job_name, run_id, fire_time)
        select distinct on (n.job_name) n.job_name, n.id, n.fire_time
          from unnest(p_jobs, p_runs, p_fires) n (job_name, id, fire_time)
         order by n.job_name, n.fire_time
        on conflict (job_name) do update set taken_at = shardkeeper.live_run.taken_at
        returning job_name, run_id, fire_time)
    select array_agg(h.job_name), array_agg(h.run_id), array_agg(h.fire_time) into v_jobs, v_runs, v_fires from held h;
    if cardinality(v_runs) = cardinality(p_runs) and v_runs @> p_runs then
        return;
    end if;
    return query
        select n.id, h.run_id, h.fire_time
          from unnest(p_jobs, p_runs) n (job_name, id)
          join unnest(v_jobs, v_runs, v_fires) h (job_name, run_id, fire_time) on h.job_name = n.job_name
         where h.run_id <> n.id;
end
$$;

-- Makes runs wait behind the ones in the way.
create function shardkeeper.queue_runs(p_runs bigint[], p_fires timestamptz[], p_jobs text[]) returns void
    language plpgsql
    set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
begin
    update shardkeeper.job_run r set waiting = true, status = 'CREATED', started_at = null
      from unnest(p_runs, p_fires) n (id, fire_time)
     where r.id = n.id and r.fire_time = n.fire_time and r.id = any (p_runs);
    update shardkeeper.live_run l set awaited = true where l.job_name = any (p_jobs) and not l.awaited;
end
$$;

-- `replace`: a newer fire whose run is live, or waits to be, is in the way of an older one that is created late.
create function shardkeeper.newer_run(p_job text, p_fire timestamptz, p_holder bigint, p_holder_fire timestamptz,
    out run_id bigint, out fire_time timestamptz) language plpgsql stable strict
    set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
begin
    select r.id, r.fire_time into run_id, fire_time from shardkeeper.job_run r
     where r.waiting and r.job_name = p_job and r.trigger_kind = 'schedule' and r.fire_time > p_fire
     order by r.fire_time desc limit 1;
    if run_id is null and p_holder_fire > p_fire then
        run_id := p_holder;
        fire_time := p_holder_fire;
    end if;
end
$$;

-- `replace`: the newest fire stops the live run and the scheduled ones that wait for it.
create function shardkeeper.stop_older(p_run bigint, p_job text, p_fire timestamptz) returns void
    language plpgsql as $$
declare
    v_runs  bigint[];
    v_fires timestamptz[];
begin
    -- those that wait before the one they wait for, or stopping that one would hand the row to one of them
    select array_agg(r.id), array_agg(r.fire_time) into v_runs, v_fires
      from shardkeeper.job_run r
     where r.waiting and r.job_name = p_job and r.trigger_kind = 'schedule' and r.id <> p_run
       and r.fire_time < p_fire;
    if v_runs is not null then
        perform shardkeeper.close_pending(v_runs, v_fires, 'STOPPED',
            'replaced by ' || shardkeeper.run_name(p_job, p_fire));
    end if;
    perform shardkeeper.close_pending(array[l.run_id], array[l.fire_time], 'STOPPED',
            'replaced by ' || shardkeeper.run_name(p_job, p_fire))
       from shardkeeper.live_run l where l.job_name = p_job and l.run_id <> p_run;
end
$$;

-- Inserts the runs and records of `p_all` that are to be made, and the runs' attempts: the creator's own RUNNING, the
-- rest PENDING. Returns what was inserted (created, queued, skipped); what another had inserted before is not in it.
create function shardkeeper.insert_runs(
    p_all shardkeeper.creation[], p_kind text, p_incarnation text, p_node text,
    p_now timestamptz default clock_timestamp())
    returns table (ord integer, run_id bigint, outcome text, reason text)
    language plpgsql
    set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
    v_runs    bigint[];
    v_rivals  record;
    v_skipped bigint[] := '{}';
    v_reasons text[] := '{}';
    v_queued  bigint[] := '{}';
    v_keyed   text[];
    v_keys    text[];
begin
    -- One key order everywhere, so that creators of the same fires wait for each other, but never in a circle. Written
    -- as it stays when live_run is won, which is the rule.
    with made as (
        insert into shardkeeper.job_run (id, job_name, fire_time, trigger_kind, status, reason, job_version,
                                         impl_version, sharding_total_count, priority, open_items, created_at,
                                         started_at, finished_at)
        select c.run_id, c.job_name, c.fire_time, p_kind,
               case when c.held is not null then 'SKIPPED' when cardinality(c.claim_items) > 0 then 'RUNNING'
                    else 'CREATED' end,
               c.held, c.job_version, c.impl_version, c.total, c.priority,
               case when c.held is null then c.total else 0 end, p_now,
               case when c.held is null and cardinality(c.claim_items) > 0 then p_now end,
               case when c.held is not null then p_now end
          from unnest(p_all) c where c.outcome = 'made'
         order by c.job_name, c.fire_time
        on conflict do nothing
        returning id)
    select array_agg(m.id) into v_runs from made m;
    if v_runs is null then
        return;
    end if;

    select array_agg(c.job_name) as jobs, array_agg(c.run_id) as runs, array_agg(c.fire_time) as fires into v_rivals
      from unnest(p_all) c
     where (c.run_id in (select unnest(v_runs))) is true and c.held is null and c.overlap <> 'allow';
    if v_rivals.runs is not null then
        select coalesce(array_agg(c.run_id) filter (where not q.queues), '{}'),
               coalesce(array_agg(format('run %s (%s) is in the way', coalesce(n.run_id, x.holder),
                                         shardkeeper.run_name(c.job_name, coalesce(n.fire_time, x.holder_fire))))
                            filter (where not q.queues), '{}'),
               coalesce(array_agg(c.run_id) filter (where q.queues), '{}')
          into v_skipped, v_reasons, v_queued
          from shardkeeper.compete_for_live(v_rivals.jobs, v_rivals.runs, v_rivals.fires) x
          join unnest(p_all) c on c.run_id = x.run_id
          left join lateral shardkeeper.newer_run(
              case when p_kind = 'schedule' and c.overlap = 'replace' then c.job_name end,
              c.fire_time, x.holder, x.holder_fire) n on true
         cross join lateral (select p_kind <> 'schedule' or c.overlap = 'queue'
                                    or c.overlap = 'replace' and n.run_id is null as queues) q;
    end if;
    if v_skipped <> '{}' then
        update shardkeeper.job_run r
           set status = 'SKIPPED', reason = k.reason, open_items = 0, started_at = null, finished_at = p_now
          from unnest(v_skipped, v_reasons) k (id, reason) join unnest(p_all) c on c.run_id = k.id
         where r.id = c.run_id and r.fire_time = c.fire_time and r.id = any (v_skipped);
    end if;
    if v_queued <> '{}' then
        perform shardkeeper.queue_runs(array_agg(c.run_id), array_agg(c.fire_time), array_agg(c.job_name))
           from unnest(p_all) c where (c.run_id in (select unnest(v_queued))) is true;
    end if;

    select array_agg(l.job_name), array_agg(l.concurrency_key) into v_keyed, v_keys
      from unnest(shardkeeper.limits_of(array(select c.job_name from unnest(p_all) c))) l
     where l.concurrency_key is not null;
    insert into shardkeeper.shard_run (run_id, fire_time, item, attempt, job_name, status, node_id, incarnation,
                                       pinned_node, created_at, not_before, waiting, claim_no, claimed_at,
                                       concurrency_value)
    select c.run_id, c.fire_time, i.item, 1, c.job_name, case when own.is then 'RUNNING' else 'PENDING' end,
           case when own.is then p_node end, case when own.is then p_incarnation end, c.nodes[i.item + 1], p_now,
           p_now, w.waits, case when own.is then 1 else 0 end, case when own.is then p_now end, w.value
      from unnest(p_all) c
     cross join lateral (select (c.run_id in (select unnest(v_queued))) is true as waits,
                                case when c.job_name = any (v_keyed)
                                     then shardkeeper.concurrency_value(
                                         v_keys[array_position(v_keyed, c.job_name)], '{}', c.job_version,
                                         c.impl_version) end as value offset 0) w
     cross join lateral generate_series(0, c.total - 1) i (item)
     cross join lateral (select not w.waits and i.item = any (c.claim_items) as is) own
     where (c.run_id in (select unnest(v_runs))) is true and c.held is null
       and c.run_id not in (select unnest(v_skipped));

    if v_queued <> '{}' and p_kind = 'schedule' then
        perform shardkeeper.stop_older(c.run_id, c.job_name, c.fire_time)
           from unnest(p_all) c where c.overlap = 'replace' and c.run_id = any (v_queued);
    end if;

    return query
        select c.ord, c.run_id, case when c.held is not null or c.run_id in (select unnest(v_skipped)) then 'skipped'
                                     when c.run_id in (select unnest(v_queued)) then 'queued' else 'created' end,
               coalesce(c.held, case when v_skipped <> '{}' then v_reasons[array_position(v_skipped, c.run_id)] end)
          from unnest(p_all) c where (c.run_id in (select unnest(v_runs))) is true;
end
$$;

-- The runs and records that stand already for these requests. A function of its own for its own plan; a statement of
-- its own for a snapshot taken after the wait for another creator's commit.
create function shardkeeper.find_standing(p_all shardkeeper.creation[], p_except integer[], out ords integer[],
    out runs bigint[], out outcomes text[], out reasons text[], out claims integer[], out of_runs bigint[])
    language plpgsql
    set enable_seqscan = off set enable_nestloop = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
declare
    v_from timestamptz;
    v_to   timestamptz;
    v_jobs text[];
begin
    select min(c.fire_time), max(c.fire_time), array_agg(c.job_name) into v_from, v_to, v_jobs from unnest(p_all) c;
    select array_agg(f.ord), array_agg(f.id), array_agg(f.outcome), array_agg(f.reason),
           array_agg(f.ord) filter (where f.claims), array_agg(f.id) filter (where f.claims)
      into ords, runs, outcomes, reasons, claims, of_runs
      from (select c.ord, r.id, r.reason,
                   case r.status when 'SKIPPED' then 'skipped' when 'MISSED' then 'old' else 'exists' end as outcome,
                   -- who owns an item is decided by the version that the run pins
                   r.status in ('CREATED', 'RUNNING') and r.job_version = c.job_version as claims
              from unnest(p_all) c
              join shardkeeper.job_run r on r.job_name = c.job_name and r.fire_time = c.fire_time
               and r.trigger_kind in ('schedule', 'misfire')
             where c.ord <> all (p_except) and r.job_name = any (v_jobs) and r.fire_time between v_from and v_to) f;
end
$$;

-- Claims of runs that stand already, for requests by item; `claimed` is an array of claimed_attempt by request.
create function shardkeeper.claim_of_existing(
    p_incarnation text, p_node text, p_all shardkeeper.creation[], p_ords integer[], p_runs bigint[])
    returns table (ord integer, claimed jsonb) language plpgsql as $$
#variable_conflict use_column
declare
    v_runs  bigint[];
    v_fires timestamptz[];
    v_items integer[];
begin
    select array_agg(n.id), array_agg(c.fire_time), array_agg(i.item) into v_runs, v_fires, v_items
      from unnest(p_ords, p_runs) n (ord, id) join unnest(p_all) c on c.ord = n.ord
     cross join lateral unnest(c.claim_items) i (item);
    if v_runs is null then
        return;
    end if;
    return query
        select n.ord, jsonb_agg(to_jsonb(k) order by k.item)
          from shardkeeper.claim_rows(p_incarnation, p_node, v_runs, v_fires, v_items,
                                      array_fill(null::integer, array[cardinality(v_runs)])) k
          join unnest(p_ords, p_runs) n (ord, id) on n.id = k.run_id
         group by n.ord;
end
$$;

-- Whether the clock got past an instant, which is no more than `p_most` ahead. pg_sleep rounds up to whole milliseconds, so
-- that the last one is waited for awake. A clock that is set back is not waited for.
create function shardkeeper.wait_until(p_at timestamptz, p_most interval) returns boolean
    language plpgsql as $$
declare
    v_now timestamptz;
begin
    perform pg_sleep(extract(epoch from p_at - clock_timestamp()) - 0.001);
    loop
        v_now := clock_timestamp();
        if v_now > p_at or v_now < p_at - p_most then
            return v_now > p_at;
        end if;
    end loop;
end
$$;

-- The same as await_stampings without waiting, for who holds what a stamping or the sweep may wait for: whether none is
-- under way. Others who pass the key hold it for some microseconds, so that it is tried for two milliseconds. Taken and let
-- go in one expression, between whose parts nothing can be cancelled.
create function shardkeeper.no_stamping() returns boolean
    language plpgsql as $$
declare
    v_key   bigint := shardkeeper.versions_lock_key();
    v_until timestamptz := clock_timestamp() + interval '2 milliseconds';
begin
    while not case when pg_try_advisory_lock(v_key) then pg_advisory_unlock(v_key) else false end loop
        if clock_timestamp() > v_until then
            return false;
        end if;
    end loop;
    return true;
end
$$;

-- The jobs of which a version, mark or pause is there that `p_seen` did not see, and the ImplSpecs: it was written by a
-- transaction that began later, or was under way. (That one is gone again is not seen: a pause is ended by a column, a mark
-- goes with its version.)
create function shardkeeper.changes_since(p_seen pg_snapshot, out jobs text[], out impls text[])
    language plpgsql stable as $$
declare
    v_later     xid8 := pg_snapshot_xmax(p_seen);
    v_under_way xid8[] := array(select pg_snapshot_xip(p_seen));
begin
    select array_agg(c.job), array_agg(c.impl) into jobs, impls
      from (select v.job_name as job, null as impl from shardkeeper.job_version v
             where v.changed_xid >= v_later or v.changed_xid = any (v_under_way)
            union all
            select u.job_name, null from shardkeeper.pause u
             where u.changed_xid >= v_later or u.changed_xid = any (v_under_way)
            union all
            select case when not p.of_impl then p.name end, case when p.of_impl then p.name end
              from shardkeeper.spec_problem p
             where p.changed_xid >= v_later or p.changed_xid = any (v_under_way)
            union all
            select null, i.impl_name from shardkeeper.impl_version i
             where i.changed_xid >= v_later or i.changed_xid = any (v_under_way)) c;
end
$$;

-- Whether any of these changes is of a job of `p_all`, or of its ImplSpec.
create function shardkeeper.creations_changed(p_seen pg_snapshot, p_all shardkeeper.creation[]) returns boolean
    language plpgsql stable as $$
declare
    v_changed record := shardkeeper.changes_since(p_seen);
begin
    if v_changed.jobs is null then
        return false;
    end if;
    return exists (select from unnest(p_all) c where c.job_name = any (v_changed.jobs))
        or exists (select from unnest(p_all) c join shardkeeper.job_version v on v.version = c.job_version
                    where v.impl_spec = any (v_changed.impls));
end
$$;

-- Those of `p_all` that are simply to be created, as far as that can be told without a lock.
create function shardkeeper.simple_creations(p_all shardkeeper.creation[]) returns shardkeeper.creation[]
    language plpgsql
    set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
    v_jobs text[] := array(select c.job_name from unnest(p_all) c);
    v_live text[] := array(select l.job_name from shardkeeper.live_run l where l.job_name = any (v_jobs));
begin
    return (
        select array_agg(c order by c.job_name, c.fire_time) from unnest(p_all) c
         where c.outcome = 'made' and c.held is null and (c.overlap = 'allow' or c.job_name <> all (v_live)));
end
$$;

-- Creations that are asked for a little before `p_until`, when the last of their fires is due: those that are simple are
-- done by then but for the commit, for which the instant is waited for. Where another turned out not to be simple, or a
-- version, mark or pause of one has come meanwhile, all of it is undone, and nothing is answered. The rest is answered as
-- early: whoever holds new keys must not wait for locks, as the normal way does.
create function shardkeeper.create_ahead(
    p_incarnation text, p_window interval, p_requests jsonb, p_until timestamptz, p_ahead interval)
    returns table (ord integer, outcome text, run_id bigint, own integer[]) language plpgsql as $$
#variable_conflict use_column
declare
    v_seen pg_snapshot;
    v_node text;
    v_all  shardkeeper.creation[];
    v_made integer;
    v_calm boolean;
begin
    perform pg_advisory_xact_lock_shared(shardkeeper.creation_lock_key());
    v_node := shardkeeper.lock_own_lease(p_incarnation, array['active', 'draining']);
    v_seen := pg_current_snapshot();
    if v_node is not null then
        v_all := shardkeeper.simple_creations(shardkeeper.judge_creations(
            p_requests, p_window, v_node, p_until + interval '1 microsecond'));
    end if;
    select count(*) into v_made from shardkeeper.insert_runs(v_all, 'schedule', p_incarnation, v_node, p_until) i
     where i.outcome = 'created';
    if v_made = coalesce(cardinality(v_all), -1) and shardkeeper.wait_until(p_until, p_ahead) then
        v_calm := shardkeeper.no_stamping();
        -- a statement of its own, for a snapshot taken after that
        if v_calm and not shardkeeper.creations_changed(v_seen, v_all) then
            return query
                select q.ord, case when c.ord is null then 'early' else 'created' end, c.run_id, c.claim_items
                  from jsonb_to_recordset(p_requests) as q (ord integer) left join unnest(v_all) c on c.ord = q.ord;
            return;
        end if;
    end if;
    raise exception using errcode = 'SK001';
exception when sqlstate 'SK001' then
    perform shardkeeper.wait_until(p_until, p_ahead);
end
$$;

-- The port's create: `p_requests` is an array of {ord, job, fire, jv, iv, total, claim, nodes, make}, one per job. Fires
-- that are no more ahead than `p_ahead` are waited for.
-- `own`: items of a run created here that are RUNNING under the caller now, as attempt 1 and claim 1; `claimed`: an
-- array of claimed_attempt, of a run that stood already.
create function shardkeeper.create_runs(p_incarnation text, p_window interval, p_requests jsonb, p_ahead interval)
    returns table (ord integer, outcome text, run_id bigint, now timestamptz, reason text, own integer[], claimed jsonb)
    language plpgsql as $$
#variable_conflict use_column
declare
    v_now      timestamptz;
    v_node     text;
    v_all      shardkeeper.creation[];
    v_ords     integer[];
    v_runs     bigint[];
    v_outcomes text[];
    v_reasons  text[];
    v_claims   integer[];
    v_of_runs  bigint[];
    v_standing record;
    v_until    timestamptz := (select max(q.fire) from jsonb_to_recordset(p_requests) as q (fire timestamptz));
begin
    if v_until > clock_timestamp() and v_until <= clock_timestamp() + p_ahead then
        return query
            select c.ord, c.outcome, c.run_id, clock_timestamp(), null::text, c.own, null::jsonb
              from shardkeeper.create_ahead(p_incarnation, p_window, p_requests, v_until, p_ahead) c;
        if found then
            return;
        end if;
    end if;

    perform shardkeeper.await_stampings();
    perform pg_advisory_xact_lock_shared(shardkeeper.creation_lock_key());
    v_node := shardkeeper.lock_own_lease(p_incarnation, array['active', 'draining']);
    -- read after all waiting is done: the sweep takes what is older than the window by this very clock
    v_now := clock_timestamp();
    if v_node is null then
        return query select q.ord, 'dead', null::bigint, v_now, null::text, null::integer[], null::jsonb
                       from jsonb_to_recordset(p_requests) as q (ord integer);
        return;
    end if;
    v_all := shardkeeper.judge_creations(p_requests, p_window, v_node, v_now);
    select array_agg(i.ord), array_agg(i.run_id), array_agg(i.outcome), array_agg(i.reason),
           array_agg(i.ord) filter (where i.outcome = 'queued'), array_agg(i.run_id) filter (where i.outcome = 'queued')
      into v_ords, v_runs, v_outcomes, v_reasons, v_claims, v_of_runs
      from shardkeeper.insert_runs(v_all, 'schedule', p_incarnation, v_node) i;

    if coalesce(cardinality(v_ords), 0) < cardinality(v_all) then
        v_standing := shardkeeper.find_standing(v_all, coalesce(v_ords, '{}'));
        v_ords := v_ords || v_standing.ords;
        v_runs := v_runs || v_standing.runs;
        v_outcomes := v_outcomes || v_standing.outcomes;
        v_reasons := v_reasons || v_standing.reasons;
        v_claims := v_claims || v_standing.claims;
        v_of_runs := v_of_runs || v_standing.of_runs;
    end if;

    return query
        select c.ord,
               case coalesce(d.outcome, c.outcome) when 'queued' then 'created' when 'made' then 'absent'
                    else coalesce(d.outcome, c.outcome) end,
               d.run_id, v_now, d.reason, case when d.outcome = 'created' then c.claim_items end, k.claimed
          from unnest(v_all) c
          left join unnest(v_ords, v_outcomes, v_runs, v_reasons) d (ord, outcome, run_id, reason) on d.ord = c.ord
          left join shardkeeper.claim_of_existing(p_incarnation, v_node, v_all, v_claims, v_of_runs) k on k.ord = c.ord;
end
$$;
