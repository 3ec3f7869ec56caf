-- Closing items and runs: the one routine behind every terminal transition (docs/architecture.md, rule 5).
--
-- An item is closed when its attempt came to an end and got no next one. Closing counts down job_run.open_items by what
-- was really applied; whoever brings it to zero closes the run: status, result, alert, job_state, live_run, follow-ups.
-- A run that failed for good with items to be rolled back is opened once more for just that (045_compensation.sql).
--
-- Locks, always in this order, rows of a table in the order of their keys:
--   advisory, lease, limit_state or new job_run keys (never both), live_run, existing job_run, shard_run, job_state,
--   follow_gate.
-- Waiting runs are changed only under their job's live_run row, hence live_run comes before the counters.

-- Functions of the hot path are planned once, since planning for every partition costs more than the work, and may be
-- planned while today's partition is still empty. So no plan may depend on how much there is: every table is bounded by
-- `= any (the batch's keys)`, without a sequential scan, and read once: no nested loop, but where `offset 0` asks for
-- one, and no merge join, which may go by the run alone, and compare each item of a run with each other. A range of fire
-- times goes with it for pruning. `is not distinct from`, where an equality is meant, keeps out the partial indexes of what
-- is RUNNING and PENDING, which seem small to the planner.

-- Held shared by creations until they commit; the sweep takes the versions' key and then this one, both exclusively.
-- Two keys, since creations wait for stampings (see create_runs) but never for one another.
create function shardkeeper.creation_lock_key() returns bigint
    language sql immutable parallel safe
    return 6363318105;

create function shardkeeper.run_name(p_job text, p_fire_time timestamptz) returns text
    language sql stable parallel safe
    return p_job || '@' || to_char(p_fire_time at time zone 'UTC',
        case when date_trunc('second', p_fire_time) = p_fire_time
             then 'YYYY-MM-DD"T"HH24:MI:SS"Z"' else 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"' end);

-- ISO 8601 with +00:00, whatever TimeZone the session has.
create function shardkeeper.instant_text(p_instant timestamptz) returns text
    language sql stable parallel safe
    return to_char(p_instant at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"');

-- Locks what closing items of these runs may change. Every closing begins with it.
create function shardkeeper.lock_runs(p_runs bigint[], p_fires timestamptz[]) returns void
    language plpgsql
    set enable_seqscan = off set enable_nestloop = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
declare
    v_from timestamptz;
    v_to   timestamptz;
    v_jobs text[];
begin
    select min(f), max(f) into v_from, v_to from unnest(p_fires) f;
    select array_agg(distinct r.job_name) into v_jobs from shardkeeper.job_run r
     where r.id = any (p_runs) and r.fire_time between v_from and v_to
       and r.trigger_kind in ('schedule', 'misfire', 'backfill');
    perform 1 from shardkeeper.live_run l where l.job_name = any (v_jobs) order by l.job_name for no key update;
    perform 1 from shardkeeper.job_run r
      where r.id = any (p_runs) and r.fire_time between v_from and v_to
      order by r.id for no key update;
end
$$;

-- Hands the live_run rows of these jobs, held by runs that are closed, to the oldest waiting run of each, else removes
-- them. The caller holds the rows.
create function shardkeeper.release_live(p_jobs text[], p_runs bigint[]) returns void
    language plpgsql
    set enable_seqscan = off set enable_nestloop = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
declare
    v_jobs  text[];
    v_runs  bigint[];
    v_fires timestamptz[];
begin
    delete from shardkeeper.live_run l
     where l.job_name = any (p_jobs) and l.run_id = any (p_runs) and not l.awaited;
    select array_agg(l.job_name) into v_jobs from shardkeeper.live_run l
     where l.job_name = any (p_jobs) and l.run_id = any (p_runs);
    if v_jobs is null then
        return;
    end if;

    select array_agg(w.job_name), array_agg(w.id), array_agg(w.fire_time) into p_jobs, v_runs, v_fires
      from unnest(v_jobs) j (job_name) cross join lateral (
           select r.job_name, r.id, r.fire_time from shardkeeper.job_run r
            where r.waiting and r.job_name = j.job_name
            order by r.fire_time, r.id limit 1) w;
    delete from shardkeeper.live_run l
     where l.job_name = any (v_jobs) and l.job_name <> all (coalesce(p_jobs, '{}'));
    if v_runs is null then
        return;
    end if;

    update shardkeeper.job_run r set waiting = false
      from unnest(v_runs, v_fires) n (id, fire_time)
     where r.id = n.id and r.fire_time = n.fire_time and r.id = any (v_runs);
    update shardkeeper.live_run l
       set run_id = n.id, fire_time = n.fire_time, taken_at = clock_timestamp(),
           awaited = exists (select from shardkeeper.job_run r where r.waiting and r.job_name = l.job_name)
      from unnest(p_jobs, v_runs, v_fires) n (job_name, id, fire_time)
     where l.job_name = n.job_name and l.job_name = any (p_jobs);
    update shardkeeper.shard_run s set waiting = false, not_before = greatest(s.not_before, clock_timestamp())
      from unnest(v_runs, v_fires) n (id, fire_time)
     where s.run_id = n.id and s.fire_time = n.fire_time and s.run_id = any (v_runs) and s.status = 'PENDING';
end
$$;

-- What a message about a run is made of (CONTRACT.md, "Slack message"): texts are cut here, masked by the sender.
create function shardkeeper.alert_body(p_run shardkeeper.job_run, p_failures integer, p_success timestamptz)
    returns jsonb language sql stable as $$
    with final as (
        select distinct on (s.item) s.* from shardkeeper.shard_run s
         where s.run_id = p_run.id and s.fire_time = p_run.fire_time and not s.compensates
         order by s.item, s.attempt desc),
    worst as (
        select f.* from final f where f.status in ('FAILED', 'TIMED_OUT', 'LOST') order by f.item limit 1)
    select jsonb_strip_nulls(jsonb_build_object(
        'job_name', p_run.job_name, 'run', shardkeeper.run_name(p_run.job_name, p_run.fire_time), 'run_id', p_run.id,
        'fire_time', shardkeeper.instant_text(p_run.fire_time), 'trigger_kind', p_run.trigger_kind,
        'reason', p_run.reason, 'items', (select count(*) from final),
        'failed_items', (select count(*) from final where status in ('FAILED', 'TIMED_OUT', 'LOST')),
        'item', w.item, 'item_parameter', v.spec -> 'sharding_item_parameters' ->> w.item::text,
        'status', w.status, 'phase', w.phase, 'node_id', w.node_id, 'attempt', w.attempt,
        'error_type', left(w.error_type, 200), 'error_message', left(w.error_message, 3000),
        'failures_in_a_row', p_failures, 'last_success', shardkeeper.instant_text(p_success),
        'owner', v.spec ->> 'owner', 'mention', v.alert ->> 'mention', 'channel', v.alert ->> 'channel',
        'runbook_url', v.alert ->> 'runbook_url'))
      from (select 1) one
      left join worst w on true
      left join shardkeeper.job_version v on v.version = p_run.job_version
$$;

-- Counts these closed runs (one element each) into job_state and writes their alerts.
create function shardkeeper.tell_closed(p_runs bigint[], p_fires timestamptz[]) returns void
    language plpgsql
    set enable_seqscan = off set enable_nestloop = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
declare
    v_jobs  text[];
    v_known integer;
    v_from  timestamptz;
    v_to    timestamptz;
begin
    select min(f), max(f) into v_from, v_to from unnest(p_fires) f;
    select array_agg(distinct r.job_name order by r.job_name) into v_jobs
      from shardkeeper.job_run r where r.id = any (p_runs) and r.fire_time between v_from and v_to;
    perform 1 from shardkeeper.job_state t where t.job_name = any (v_jobs) order by t.job_name for no key update;
    get diagnostics v_known = row_count;
    if v_known < cardinality(v_jobs) then
        insert into shardkeeper.job_state (job_name) select unnest(v_jobs) on conflict do nothing;
        perform 1 from shardkeeper.job_state t where t.job_name = any (v_jobs)
          order by t.job_name for no key update;
    end if;

    with closed as materialized (
        select r.id, r.fire_time, r.job_name, r.job_version, r.status, r.finished_at,
               count(*) filter (where r.status = 'COMPLETED') over w as successes
          from shardkeeper.job_run r
         where r.id = any (p_runs) and r.fire_time between v_from and v_to
        window w as (partition by r.job_name order by r.fire_time, r.id)),
    counted as materialized (
        select c.*, t.last_success_at, t.failures_in_a_row as base,
               max(c.finished_at) filter (where c.status = 'COMPLETED') over (partition by c.job_name) as succeeded_at,
               count(*) filter (where c.status = 'FAILED')
                   over (partition by c.job_name, c.successes order by c.fire_time, c.id)
                   + case when c.successes = 0 then t.failures_in_a_row else 0 end as failures
          from closed c join shardkeeper.job_state t using (job_name) where t.job_name = any (v_jobs)),
    told as materialized (
        select c.*, lag(c.failures) over (partition by c.job_name order by c.fire_time, c.id) as before
          from counted c),
    last as (
        select distinct on (c.job_name) c.job_name, c.id, c.fire_time, c.status, c.finished_at, c.failures,
               c.succeeded_at
          from counted c order by c.job_name, c.fire_time desc, c.id desc),
    kept as (
        update shardkeeper.job_state t
           set last_run = l.id, last_fire_time = l.fire_time, last_status = l.status,
               last_finished_at = l.finished_at, failures_in_a_row = l.failures,
               last_success_at = coalesce(l.succeeded_at, t.last_success_at)
          from last l where t.job_name = l.job_name and t.job_name = any (v_jobs))
    insert into shardkeeper.alert (event_key, kind, job_name, run_id, channel, body, thread)
    select 'run:' || a.id || ':' || a.kind, a.kind, a.job_name, a.id, a.alert ->> 'channel',
           shardkeeper.alert_body(r, a.row_of::integer, a.last_success_at),
           -- a recovery answers the message of the last failure
           case a.kind when 'recovered' then (
               select f.message_id from shardkeeper.alert f
                where f.job_name = a.job_name and f.kind = 'failed' and f.message_id is not null
                order by f.alert_id desc limit 1) end
      from (select t.*, v.alert, case t.status when 'FAILED' then 'failed' else 'recovered' end as kind,
                   case t.status when 'FAILED' then t.failures
                                 when 'COMPLETED' then coalesce(t.before, t.base) else 0 end as row_of
              from told t
              left join lateral (select alert from shardkeeper.job_version where version = t.job_version offset 0) v
                on true) a
      join shardkeeper.job_run r on r.id = a.id and r.fire_time = a.fire_time
     where r.id = any (p_runs) and r.fire_time between v_from and v_to
       and a.row_of >= greatest(1, coalesce(case when jsonb_typeof(a.alert -> 'after') = 'number'
                                                 then (a.alert ->> 'after')::numeric end, 1))
       and (not coalesce(a.alert, '{}') ? 'on' or a.alert -> 'on' ? a.kind)
     order by a.job_name, a.fire_time
    on conflict (event_key) do nothing;
end
$$;

-- The same of runs that are all COMPLETED, with less to do: alerts only where one is a recovery.
create function shardkeeper.tell_completed(p_runs bigint[], p_fires timestamptz[], p_jobs text[]) returns void
    language plpgsql
    set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
    v_now   timestamptz := clock_timestamp();
    v_jobs  text[];
    v_known integer;
    v_bad   boolean;
begin
    select array_agg(distinct j) into v_jobs from unnest(p_jobs) j;
    loop
        select count(*), bool_or(l.failures_in_a_row > 0) into v_known, v_bad
          from (select t.failures_in_a_row from shardkeeper.job_state t where t.job_name = any (v_jobs)
                 order by t.job_name for no key update) l;
        exit when v_known >= cardinality(v_jobs);
        -- the first run of a job to be closed; another may be the first as well
        insert into shardkeeper.job_state (job_name) select j from unnest(v_jobs) j order by j on conflict do nothing;
    end loop;
    if v_bad then
        perform shardkeeper.tell_closed(p_runs, p_fires);
        return;
    end if;
    update shardkeeper.job_state t
       set last_run = l.id, last_fire_time = l.fire_time, last_status = 'COMPLETED', last_finished_at = v_now,
           last_success_at = v_now
      from (select distinct on (c.job_name) c.job_name, c.id, c.fire_time
              from unnest(p_runs, p_fires, p_jobs) c (id, fire_time, job_name)
             order by c.job_name, c.fire_time desc, c.id desc) l
     where t.job_name = l.job_name and t.job_name = any (v_jobs);
end
$$;

-- Tells of these closed runs, one element each: job_state and alerts, then whoever follows them. Once for all that one
-- batch closes, as a job's count of failures goes by the order of its fires, and rows are locked in one order.
create function shardkeeper.tell_ended(p_runs bigint[], p_fires timestamptz[], p_jobs text[], p_all_completed boolean)
    returns void language plpgsql as $$
begin
    if p_runs is null then
        return;
    end if;
    if p_all_completed then
        perform shardkeeper.tell_completed(p_runs, p_fires, p_jobs);
    else
        perform shardkeeper.tell_closed(p_runs, p_fires);
    end if;
    perform shardkeeper.tell_followers(p_runs, p_fires, array(select distinct j from unnest(p_jobs) j));
end
$$;

-- Closes runs that have no open item any more. FAILED goes before STOPPED, STOPPED before COMPLETED. A run that is FAILED,
-- is not to be stopped and has items to be rolled back stays RUNNING until they are, and is not among those returned. Of
-- these the caller tells (tell_ended).
create function shardkeeper.close_runs(p_runs bigint[], p_fires timestamptz[])
    returns table (run_id bigint, fire_time timestamptz, job_name text, status text)
    language plpgsql
    set enable_seqscan = off set enable_nestloop = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
    v_from   timestamptz;
    v_to     timestamptz;
    v_closed record;
begin
    select min(f), max(f) into v_from, v_to from unnest(p_fires) f;
    with final as (
        select distinct on (s.run_id, s.item) s.run_id, s.fire_time, s.item, s.status, s.result,
               r.stop_requested as stopping, r.compensating, bool_or(s.compensable) over w as begun
          from unnest(p_runs, p_fires) c (id, fire_time)
          join shardkeeper.job_run r on r.id = c.id and r.fire_time = c.fire_time
          join shardkeeper.shard_run s on s.run_id = c.id and s.fire_time = c.fire_time
         where s.run_id = any (p_runs) and s.fire_time between v_from and v_to
           and r.id = any (p_runs) and r.fire_time between v_from and v_to
           and not s.compensates
        window w as (partition by s.run_id, s.item order by s.attempt desc
                     rows between unbounded preceding and unbounded following)
         order by s.run_id, s.item, s.attempt desc),
    summed as (
        select f.run_id, f.fire_time, count(*) filter (where f.begun) as to_undo,
               -- lost while it was to be stopped anyway: stopped
               case when bool_or(f.compensating or f.status in ('FAILED', 'TIMED_OUT')
                                 or f.status = 'LOST' and not f.stopping)
                    then 'FAILED'
                    when bool_or(f.status in ('STOPPED', 'LOST')) then 'STOPPED'
                    else 'COMPLETED' end as status,
               case when count(*) = 1 then (array_agg(f.result))[1]
                    when sum(octet_length(f.result::text)) > 1000000
                    then jsonb_build_object('too_large', true, 'bytes', sum(octet_length(f.result::text)))
                    else jsonb_object_agg(f.item, f.result) end as result
          from final f group by f.run_id, f.fire_time),
    judged as (
        select u.*, u.status = 'FAILED' and u.to_undo > 0 and not r.stop_requested and not r.compensating as undo,
               case when r.compensating then shardkeeper.reason_after_undoing(r) else r.reason end as reason
          from summed u join shardkeeper.job_run r on r.id = u.run_id and r.fire_time = u.fire_time
         where r.id = any (p_runs) and r.fire_time between v_from and v_to),
    closed as (
        update shardkeeper.job_run r
           set status = case when u.undo then 'RUNNING' else u.status end,
               result = case u.status when 'COMPLETED' then u.result end,
               open_items = case when u.undo then u.to_undo else 0 end, compensating = r.compensating or u.undo,
               reason = u.reason, waiting = false, finished_at = case when not u.undo then clock_timestamp() end
          from judged u
         where r.id = u.run_id and r.fire_time = u.fire_time
           and r.id = any (p_runs) and r.fire_time between v_from and v_to
           and r.status in ('CREATED', 'RUNNING')
        returning r.id, r.fire_time, r.status, r.job_name, r.trigger_kind, u.undo)
    select array_agg(c.id order by c.id) filter (where not c.undo) as runs,
           array_agg(c.fire_time order by c.id) filter (where not c.undo) as fires,
           array_agg(c.status::text order by c.id) filter (where not c.undo) as statuses,
           array_agg(c.job_name order by c.id) filter (where not c.undo) as jobs,
           array_agg(distinct c.job_name) filter (
               where not c.undo and c.trigger_kind in ('schedule', 'misfire', 'backfill')) as rivals,
           array_agg(c.id order by c.id) filter (where c.undo) as undone,
           array_agg(c.fire_time order by c.id) filter (where c.undo) as undone_at
      into v_closed from closed c;
    if v_closed.undone is not null then
        perform shardkeeper.begin_undoing(v_closed.undone, v_closed.undone_at);
    end if;
    if v_closed.runs is null then
        return;
    end if;

    if v_closed.rivals is not null then
        perform shardkeeper.release_live(v_closed.rivals, v_closed.runs);
    end if;
    return query select * from unnest(v_closed.runs, v_closed.fires, v_closed.jobs, v_closed.statuses);
end
$$;

-- One element per item that was closed; the caller has locked its runs. Returns the runs that are closed by it, of which
-- the caller tells.
create function shardkeeper.count_items(p_runs bigint[], p_fires timestamptz[])
    returns table (run_id bigint, fire_time timestamptz, job_name text, status text)
    language plpgsql
    set enable_seqscan = off set enable_nestloop = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
    v_from  timestamptz;
    v_to    timestamptz;
    v_runs  bigint[];
    v_fires timestamptz[];
begin
    select min(f), max(f) into v_from, v_to from unnest(p_fires) f;
    with closed as (
        select c.id, c.fire_time, count(*) as items from unnest(p_runs, p_fires) c (id, fire_time) group by 1, 2),
    counted as (
        update shardkeeper.job_run r set open_items = r.open_items - c.items
          from closed c
         where r.id = c.id and r.fire_time = c.fire_time and r.open_items > c.items
           and r.id = any (p_runs) and r.fire_time between v_from and v_to)
    select array_agg(r.id order by r.id), array_agg(r.fire_time order by r.id) into v_runs, v_fires
      from closed c join shardkeeper.job_run r on r.id = c.id and r.fire_time = c.fire_time
     where r.id = any (p_runs) and r.fire_time between v_from and v_to and r.open_items <= c.items;
    if v_runs is not null then
        return query select * from shardkeeper.close_runs(v_runs, v_fires);
    end if;
end
$$;

-- The same, and tells of the runs that are closed.
create function shardkeeper.settle_items(p_runs bigint[], p_fires timestamptz[]) returns void
    language plpgsql as $$
begin
    perform shardkeeper.tell_ended(array_agg(c.run_id), array_agg(c.fire_time), array_agg(c.job_name),
                                   bool_and(c.status = 'COMPLETED'))
       from shardkeeper.count_items(p_runs, p_fires) c;
end
$$;

-- Closes the PENDING attempts of these open runs as `p_status`, and the runs that have nothing else. With STOPPED the
-- runs are marked as to be stopped: what is RUNNING ends by its node, and nothing of them becomes PENDING again.
create function shardkeeper.close_pending(p_runs bigint[], p_fires timestamptz[], p_status text, p_reason text)
    returns integer
    language plpgsql
    set enable_seqscan = off set enable_nestloop = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
declare
    v_from  timestamptz;
    v_to    timestamptz;
    v_runs  bigint[];
    v_fires timestamptz[];
begin
    perform shardkeeper.lock_runs(p_runs, p_fires);
    select min(f), max(f) into v_from, v_to from unnest(p_fires) f;
    if p_status = 'STOPPED' then
        update shardkeeper.job_run r set stop_requested = true, reason = coalesce(p_reason, r.reason)
         where r.id = any (p_runs) and r.fire_time between v_from and v_to
           and r.status in ('CREATED', 'RUNNING') and not r.stop_requested;
    end if;
    with closed as (
        update shardkeeper.shard_run s
           set status = p_status, waiting = false, finished_at = clock_timestamp(), error_message = p_reason
          from unnest(p_runs, p_fires) c (id, fire_time)
         where s.run_id = c.id and s.fire_time = c.fire_time
           and s.run_id = any (p_runs) and s.fire_time between v_from and v_to
           and s.status is not distinct from 'PENDING'
        returning s.run_id, s.fire_time)
    select array_agg(c.run_id), array_agg(c.fire_time) into v_runs, v_fires from closed c;
    if v_runs is null then
        return 0;
    end if;
    perform shardkeeper.settle_items(v_runs, v_fires);
    return cardinality(v_runs);
end
$$;
