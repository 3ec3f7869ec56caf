-- Outcomes and progress of attempts, under the claim that holds them and no other (docs/architecture.md, rules 5, 6).

create type shardkeeper.outcome as (
    ord            integer,
    run_id         bigint,
    fire_time      timestamptz,
    item           integer,
    attempt        integer,
    claim_no       integer,
    status         text,
    phase          text,
    started_at     timestamptz,
    finished_at    timestamptz,
    initialize_ms  double precision,
    calculate_ms   double precision,
    validate_ms    double precision,
    result         jsonb,
    calculated     jsonb,
    refused_values jsonb,
    error_type     text,
    error_message  text,
    traceback      text,
    log            text,
    code_version   text,
    retry_after_s  double precision,
    delay_s        double precision,
    compensable    boolean
);

-- Whether an attempt owes a rolling back: it has begun `calculate`, under this claim or an earlier one, with a task that
-- has a `compensate`.
create function shardkeeper.is_compensable(was boolean, told boolean, phase text) returns boolean
    language sql immutable parallel safe
    return was or coalesce(told and phase in ('calculate', 'validate'), false);

-- The place in the queue of what waits anew from an instant on. By the run's priority: how far an attempt's own claim_key
-- lies from its not_before says more, once it kept its place when it was given back or lost.
create function shardkeeper.claim_key_from(p_run bigint, p_fire timestamptz, p_instant timestamptz) returns timestamptz
    language plpgsql stable
    set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
begin
    return p_instant - (select r.priority from shardkeeper.job_run r where r.id = p_run and r.fire_time = p_fire)
                       * interval '1 minute';
end
$$;

-- Outcomes that give their attempts back: the incarnation and claim_no stay, so that a repetition is known as one. The
-- caller has locked the runs.
create function shardkeeper.give_back(
    p_incarnation text, p_outcomes shardkeeper.outcome[], p_ids bigint[], p_items integer[], p_from timestamptz,
    p_to timestamptz) returns integer[]
    language plpgsql
    set enable_seqscan = off set enable_nestloop = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
declare
    v_now  timestamptz := clock_timestamp();
    v_done integer[];
begin
    with given_back as (
        update shardkeeper.shard_run s
           set status = 'PENDING', node_id = null, claimed_at = null, error_type = o.error_type,
               error_message = o.error_message, log = o.log,
               compensable = shardkeeper.is_compensable(s.compensable, o.compensable, coalesce(o.phase, s.phase)),
               not_before = v_now + make_interval(secs => greatest(o.delay_s, 0)),
               -- what was not begun keeps its place in the queue
               claim_key = case when o.delay_s > 0 and s.claim_key is not null
                                then shardkeeper.claim_key_from(s.run_id, s.fire_time,
                                                                v_now + make_interval(secs => o.delay_s))
                                else s.claim_key end
          from unnest(p_outcomes) o
         where o.status = 'PENDING'
           and s.run_id = any (p_ids) and s.item = any (p_items) and s.fire_time between p_from and p_to
           and s.run_id = o.run_id and s.fire_time = o.fire_time and s.item = o.item and s.attempt = o.attempt
           and s.status is not distinct from 'RUNNING' and s.incarnation is not distinct from p_incarnation
           and s.claim_no = o.claim_no
        returning o.ord)
    select coalesce(array_agg(g.ord), '{}') into v_done from given_back g;
    return v_done;
end
$$;

-- The port's record: `p_outcomes` is an array of `p_given` of shardkeeper.outcome; `calculated` is [[key, value, weight],
-- ...]. As json, which is read once, where jsonb is built first: a tenth of the time of the whole (measured).
create function shardkeeper.record_outcomes(p_incarnation text, p_outcomes json, p_given integer)
    returns table (ord integer, recording text, run_closed text, retried boolean, reason text)
    language plpgsql
    set enable_seqscan = off set enable_nestloop = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
    v_now     timestamptz := clock_timestamp();
    v_in      shardkeeper.outcome[];
    v_ids     bigint[];
    v_items   integer[];
    v_from    timestamptz;
    v_to      timestamptz;
    v_done    integer[];
    v_retried integer[];
    v_undoing integer[];
    v_runs    bigint[];
    v_fires   timestamptz[];
    v_closed  bigint[];
    v_at      timestamptz[];
    v_jobs    text[];
    v_states  text[];
    v_lone    integer[];
    v_back    boolean;
    v_values  boolean;
begin
    -- of two outcomes for one claim in a batch the first counts; of an attempt that came back here, each is of its own
    select array_agg(o::shardkeeper.outcome order by o.run_id, o.item, o.attempt),
           array_agg(distinct o.run_id), array_agg(distinct o.item), min(o.fire_time), max(o.fire_time),
           bool_or(o.status = 'PENDING'), bool_or(o.calculated is not null)
      into v_in, v_ids, v_items, v_from, v_to, v_back, v_values
      from (select distinct on (i.run_id, i.item, i.attempt, i.claim_no) i.*
              from json_populate_recordset(null::shardkeeper.outcome, p_outcomes) i
             order by i.run_id, i.item, i.attempt, i.claim_no, i.ord) o;
    perform shardkeeper.lock_runs(v_ids, array[v_from, v_to]);

    -- The runs are locked, in the order of their keys, and whoever else ends one of their attempts locks them first: what
    -- is RUNNING under this claim stays so for the statements that follow.
    with ended as (
        update shardkeeper.shard_run s
           set status = case o.status when 'PENDING' then 'STOPPED' else o.status end,
               phase = coalesce(o.phase, s.phase), started_at = coalesce(o.started_at, s.started_at),
               finished_at = coalesce(o.finished_at, v_now), initialize_ms = o.initialize_ms,
               calculate_ms = o.calculate_ms, validate_ms = o.validate_ms, result = o.result,
               refused_values = o.refused_values, error_type = o.error_type, error_message = o.error_message,
               traceback = o.traceback, log = o.log, code_version = coalesce(o.code_version, s.code_version),
               checkpoint = case when o.status <> 'COMPLETED' then s.checkpoint end,
               compensable = shardkeeper.is_compensable(s.compensable, o.compensable, coalesce(o.phase, s.phase))
          from unnest(v_in) o
          join shardkeeper.job_run r on r.id = o.run_id and r.fire_time = o.fire_time
          -- looked up only where it decides
          left join lateral (select max_attempts from shardkeeper.job_version
                              where version = r.job_version and o.retry_after_s is not null offset 0) v on true
         where s.run_id = o.run_id and s.fire_time = o.fire_time and s.item = o.item and s.attempt = o.attempt
           and s.run_id = any (v_ids) and s.item = any (v_items) and s.fire_time between v_from and v_to
           and r.id = any (v_ids) and r.fire_time between v_from and v_to
           and s.status is not distinct from 'RUNNING' and s.incarnation is not distinct from p_incarnation and s.claim_no = o.claim_no
           -- nothing of a run that is to be stopped becomes PENDING again
           and (o.status <> 'PENDING' or r.stop_requested)
        returning o.ord, s.run_id, s.fire_time, s.compensates,
                  o.status in ('FAILED', 'TIMED_OUT') and o.retry_after_s is not null and not r.stop_requested
                      and s.tries + 1 < coalesce(v.max_attempts, 1) as again,
                  -- nothing else hangs on it: no other item, nothing to be rolled back
                  o.status = 'COMPLETED' and r.open_items = 1 and r.sharding_total_count = 1 and not r.compensating
                      and r.trigger_kind in ('schedule', 'misfire', 'backfill', 'submit', 'manual', 'follow_up') as lone)
    select coalesce(array_agg(e.ord), '{}'), array_agg(e.ord) filter (where e.again),
           array_agg(e.run_id) filter (where not e.again and not e.lone),
           array_agg(e.fire_time) filter (where not e.again and not e.lone), array_agg(e.ord) filter (where e.lone),
           coalesce(array_agg(e.ord) filter (where e.compensates), '{}')
      into v_done, v_retried, v_runs, v_fires, v_lone, v_undoing
      from ended e;
    if v_back then
        v_done := v_done || shardkeeper.give_back(p_incarnation, v_in, v_ids, v_items, v_from, v_to);
    end if;
    if v_retried is not null then
        insert into shardkeeper.shard_run (run_id, fire_time, item, attempt, job_name, pinned_node, not_before, claim_key,
                                           concurrency_value, compensates, tries, takeovers, checkpoint)
        select s.run_id, s.fire_time, s.item, s.attempt + 1, s.job_name, s.pinned_node, w.not_before,
               case when s.claim_key is not null
                    then shardkeeper.claim_key_from(s.run_id, s.fire_time, w.not_before) end,
               s.concurrency_value, s.compensates, s.tries + 1, s.takeovers, s.checkpoint
          from unnest(v_in) o
          cross join lateral (select v_now + make_interval(secs => greatest(o.retry_after_s, 0)) as not_before) w
          join shardkeeper.shard_run s on s.run_id = o.run_id and s.fire_time = o.fire_time
                                                          and s.item = o.item and s.attempt = o.attempt
         where o.ord = any (v_retried)
           and s.run_id = any (v_ids) and s.item = any (v_items) and s.fire_time between v_from and v_to;
    end if;
    if v_values then
        insert into shardkeeper.calculate_value (run_id, fire_time, item, key, value, weight)
        select o.run_id, o.fire_time, o.item, e.value ->> 0, e.value -> 1, (e.value ->> 2)::double precision
          from unnest(v_in) o cross join lateral jsonb_array_elements(o.calculated) e (value)
         where o.ord = any (v_done) and o.ord <> all (v_undoing) and o.status = 'COMPLETED' and o.calculated is not null;
    end if;
    if v_runs is not null or v_retried is not null then
        -- pulled, and over before it was told that they had begun
        update shardkeeper.job_run r set status = 'RUNNING', started_at = coalesce(o.started_at, v_now)
          from unnest(v_in) o
         where r.id = o.run_id and r.fire_time = o.fire_time and o.ord = any (v_done) and o.status <> 'PENDING'
           and r.id = any (v_ids) and r.fire_time between v_from and v_to and r.status = 'CREATED';
    end if;
    select array_agg(c.run_id), array_agg(c.fire_time), array_agg(c.job_name), array_agg(c.status)
      into v_closed, v_at, v_jobs, v_states
      from (select * from shardkeeper.close_lone_runs(v_in, v_lone) where v_lone is not null
            union all
            select * from shardkeeper.count_items(v_runs, v_fires) where v_runs is not null) c;
    perform shardkeeper.tell_ended(v_closed, v_at, v_jobs, 'COMPLETED' = all (v_states));

    if cardinality(v_lone) = cardinality(v_done) then
        return query select o.ord, 'recorded', 'COMPLETED', false, null::text from unnest(v_lone) o (ord);
    else
        return query
            select o.ord, 'recorded',
                   -- told once of each run: by the last outcome that counted
                   case when o.ord = any (v_lone) then 'COMPLETED'
                        when o.ord = max(o.ord) filter (where o.ord = any (v_done)) over (partition by o.run_id)
                        then c.status end,
                   coalesce(o.ord = any (v_retried), false), null::text
              from unnest(v_in) o left join unnest(v_closed, v_states) c (run_id, status) on c.run_id = o.run_id
             where o.ord = any (v_done);
    end if;
    if cardinality(v_done) < p_given then
        return query select * from shardkeeper.not_recorded(p_incarnation, p_outcomes, v_done);
    end if;
end
$$;

-- What became of outcomes that did not count: a repetition of one that had, or superseded, and why.
create function shardkeeper.not_recorded(p_incarnation text, p_outcomes json, p_done integer[])
    returns table (ord integer, recording text, run_closed text, retried boolean, reason text)
    language plpgsql
    set enable_seqscan = off set enable_nestloop = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
    v_ids   bigint[];
    v_items integer[];
    v_from  timestamptz;
    v_to    timestamptz;
begin
    select array_agg(distinct o.run_id), array_agg(distinct o.item), min(o.fire_time), max(o.fire_time)
      into v_ids, v_items, v_from, v_to
      from json_to_recordset(p_outcomes) o (ord integer, run_id bigint, fire_time timestamptz, item integer)
     where o.ord <> all (p_done);
    return query
        select i.ord, case when i.repeated then 'repeated' else 'superseded' end,
               case when i.repeated and i.run_status not in ('CREATED', 'RUNNING') then i.run_status::text end, false,
               case when i.repeated then null
                    when i.attempt_status is null then 'the run is no longer kept'
                    else format('the attempt is %s, claim %s of %s', i.attempt_status, i.held_claim,
                                coalesce(i.held_by, 'nobody')) end
          from (select o.ord, r.status as run_status, s.status as attempt_status, s.claim_no as held_claim,
                       s.incarnation as held_by,
                       coalesce(s.status not in ('RUNNING', 'LOST') and s.incarnation = p_incarnation
                                and s.claim_no = o.claim_no, false) as repeated
                  from json_to_recordset(p_outcomes) o (ord integer, run_id bigint, fire_time timestamptz,
                           item integer, attempt integer, claim_no integer)
                  left join shardkeeper.shard_run s on s.run_id = o.run_id and s.fire_time = o.fire_time
                       and s.item = o.item and s.attempt = o.attempt
                       and s.run_id = any (v_ids) and s.item = any (v_items) and s.fire_time between v_from and v_to
                  left join shardkeeper.job_run r on r.id = o.run_id and r.fire_time = o.fire_time
                       and r.id = any (v_ids) and r.fire_time between v_from and v_to
                 where o.ord <> all (p_done)) i;
end
$$;

-- Closes runs of one item that completed, and on which nothing else hangs: most of what there is. The caller has locked
-- them and their jobs' live_run rows, and tells of them.
create function shardkeeper.close_lone_runs(p_outcomes shardkeeper.outcome[], p_lone integer[])
    returns table (run_id bigint, fire_time timestamptz, job_name text, status text)
    language plpgsql
    set enable_seqscan = off set enable_nestloop = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
    v_now    timestamptz := clock_timestamp();
    v_ids    bigint[];
    v_from   timestamptz;
    v_to     timestamptz;
    v_closed record;
begin
    select array_agg(o.run_id), min(o.fire_time), max(o.fire_time) into v_ids, v_from, v_to
      from unnest(p_outcomes) o where o.ord = any (p_lone);
    with closed as (
        update shardkeeper.job_run r
           set status = 'COMPLETED', result = o.result, open_items = 0, waiting = false,
               started_at = coalesce(r.started_at, o.started_at, v_now), finished_at = v_now
          from unnest(p_outcomes) o
         -- an earlier outcome of the same attempt or run may be in the batch once more
         where o.ord = any (p_lone) and r.id = o.run_id and r.fire_time = o.fire_time
           and r.id = any (v_ids) and r.fire_time between v_from and v_to
        returning r.id, r.fire_time, r.job_name, r.trigger_kind)
    select array_agg(c.id) as runs, array_agg(c.fire_time) as fires, array_agg(c.job_name) as jobs,
           array_agg(c.job_name) filter (where c.trigger_kind in ('schedule', 'misfire', 'backfill')) as rivals
      into v_closed from closed c;
    if v_closed.rivals is not null then
        perform shardkeeper.release_live(v_closed.rivals, v_closed.runs);
    end if;
    return query
        select c.id, c.fire, c.job, 'COMPLETED'
          from unnest(v_closed.runs, v_closed.fires, v_closed.jobs) c (id, fire, job);
end
$$;

-- The port's progress: what running attempts say of themselves; null leaves a column as it is. A run that was pulled is
-- RUNNING from the first beginning that is told.
create function shardkeeper.note_progress(p_incarnation text, p_reports jsonb) returns integer
    language plpgsql
    set enable_seqscan = off set enable_nestloop = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
declare
    v_ids   bigint[];
    v_items integer[];
    v_from  timestamptz;
    v_to    timestamptz;
    v_count integer;
begin
    select array_agg(distinct i.run_id), array_agg(distinct i.item), min(i.fire_time), max(i.fire_time)
      into v_ids, v_items, v_from, v_to
      from jsonb_to_recordset(p_reports) i (run_id bigint, item integer, fire_time timestamptz);
    perform shardkeeper.begin_runs(p_incarnation, p_reports, v_ids, v_items, v_from, v_to);
    with reports as materialized (
        select distinct on (i.run_id, i.item, i.attempt) i.*
          from jsonb_to_recordset(p_reports) i (ord integer, run_id bigint, fire_time timestamptz, item integer,
                   attempt integer, claim_no integer, phase text, started_at timestamptz, fraction double precision,
                   message text, checkpoint jsonb, code_version text, compensable boolean)
         order by i.run_id, i.item, i.attempt, i.ord desc),
    held as materialized (
        select i.* from reports i
          join shardkeeper.shard_run s on s.run_id = i.run_id and s.fire_time = i.fire_time and s.item = i.item
                                      and s.attempt = i.attempt
         where s.run_id = any (v_ids) and s.item = any (v_items) and s.fire_time between v_from and v_to
           and s.status is not distinct from 'RUNNING' and s.incarnation is not distinct from p_incarnation and s.claim_no = i.claim_no
         order by s.run_id, s.item, s.attempt for update of s)
    update shardkeeper.shard_run s
       set phase = coalesce(i.phase, s.phase), started_at = coalesce(i.started_at, s.started_at),
           progress = coalesce(i.fraction, s.progress), progress_message = coalesce(i.message, s.progress_message),
           checkpoint = coalesce(i.checkpoint, s.checkpoint), code_version = coalesce(i.code_version, s.code_version),
           compensable = shardkeeper.is_compensable(s.compensable, i.compensable, coalesce(i.phase, s.phase))
      from held i
     where s.run_id = i.run_id and s.fire_time = i.fire_time and s.item = i.item and s.attempt = i.attempt
       and s.run_id = any (v_ids) and s.item = any (v_items) and s.fire_time between v_from and v_to;
    get diagnostics v_count = row_count;
    return v_count;
end
$$;

-- Runs that are still CREATED, of which an attempt that is RUNNING under this incarnation has begun.
create function shardkeeper.begin_runs(
    p_incarnation text, p_reports jsonb, p_ids bigint[], p_items integer[], p_from timestamptz, p_to timestamptz)
    returns void language plpgsql
    set enable_seqscan = off set enable_nestloop = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
begin
    with begun as materialized (
        select r.id, r.fire_time, min(i.started_at) as started_at
          from jsonb_to_recordset(p_reports) i (run_id bigint, fire_time timestamptz, item integer, attempt integer,
                   claim_no integer, started_at timestamptz)
          join shardkeeper.job_run r on r.id = i.run_id and r.fire_time = i.fire_time
          join shardkeeper.shard_run s on s.run_id = i.run_id and s.fire_time = i.fire_time and s.item = i.item
                                      and s.attempt = i.attempt
         where i.started_at is not null and r.status = 'CREATED' and s.claim_no = i.claim_no
           and r.id = any (p_ids) and r.fire_time between p_from and p_to
           and s.run_id = any (p_ids) and s.item = any (p_items) and s.fire_time between p_from and p_to
           and s.status is not distinct from 'RUNNING' and s.incarnation is not distinct from p_incarnation
         group by r.id, r.fire_time),
    held as materialized (
        select r.id, r.fire_time, b.started_at from begun b
          join shardkeeper.job_run r on r.id = b.id and r.fire_time = b.fire_time
         where r.id = any (p_ids) and r.fire_time between p_from and p_to
         order by r.id for no key update of r)
    update shardkeeper.job_run r set status = 'RUNNING', started_at = h.started_at
      from held h
     where r.id = h.id and r.fire_time = h.fire_time and r.status = 'CREATED'
       and r.id = any (p_ids) and r.fire_time between p_from and p_to;
end
$$;
