-- Claiming: PENDING to RUNNING under one incarnation, each time with a higher claim_no (docs/architecture.md, rule 4).

create type shardkeeper.claimed_attempt as (
    run_id               bigint,
    fire_time            timestamptz,
    item                 integer,
    attempt              integer,
    claim_no             integer,
    checkpoint           jsonb,
    tries                integer,
    takeovers            integer,
    stop_requested       boolean,
    job_name             text,
    trigger_kind         shardkeeper.trigger_kind,
    job_version          bigint,
    impl_version         bigint,
    sharding_total_count integer,
    parameters           jsonb,
    compensates          boolean
);

-- Locks an incarnation's own lease against takeover until commit; its node_id, or null when its state is not one of
-- these. FOR KEY SHARE: beats and drains go on, only FOR UPDATE (takeover, leave) waits, and is waited for.
create function shardkeeper.lock_own_lease(p_incarnation text, p_states text[]) returns text
    language plpgsql as $$
begin
    return (select l.node_id from shardkeeper.lease l
             where l.incarnation = p_incarnation and l.state = any (p_states) for key share);
end
$$;

-- Claims for an incarnation whose lease the caller has locked. An attempt number of null means: the item's live one.
-- Returns what is RUNNING under the incarnation now, be it claimed here or before (unknown commit).
--
-- A stop closes PENDING attempts in the same transaction that marks the run, so claim and stop meet at the attempt's
-- row: whoever comes second finds it RUNNING, or STOPPED.
create function shardkeeper.claim_rows(
    p_incarnation text, p_node text, p_runs bigint[], p_fires timestamptz[], p_items integer[], p_attempts integer[])
    returns setof shardkeeper.claimed_attempt
    language plpgsql
    set enable_seqscan = off set enable_nestloop = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
declare
    v_from   timestamptz;
    v_to     timestamptz;
    v_begun  bigint[];
    v_limits shardkeeper.job_limit[];
    v_runs   bigint[];
    v_fires  timestamptz[];
    v_items  integer[];
    v_tries  integer[];
    v_jobs   text[];
begin
    select min(f), max(f) into v_from, v_to from unnest(p_fires) f;
    if exists (select from shardkeeper.limit_state l where l.kind = 'job') then
        v_limits := shardkeeper.lock_limits(array(
            select distinct r.job_name from shardkeeper.job_run r
             where r.id = any (p_runs) and r.fire_time between v_from and v_to));
    end if;
    -- runs that this claim may begin, before their attempts
    perform 1 from shardkeeper.job_run r
      where r.id = any (p_runs) and r.fire_time between v_from and v_to
        and r.status = 'CREATED' and not r.waiting and not r.stop_requested
      order by r.id for no key update;

    select array_agg(f.run_id), array_agg(f.fire_time), array_agg(f.item), array_agg(f.attempt), array_agg(f.job_name)
      into v_runs, v_fires, v_items, v_tries, v_jobs
      from (select s.run_id, s.fire_time, s.item, s.attempt, s.job_name
              from unnest(p_runs, p_fires, p_items, p_attempts) k (run_id, fire_time, item, attempt)
              join shardkeeper.shard_run s on s.run_id = k.run_id and s.fire_time = k.fire_time and s.item = k.item
              join shardkeeper.job_run r on r.id = k.run_id and r.fire_time = k.fire_time
             where s.run_id = any (p_runs) and s.item = any (p_items) and s.fire_time between v_from and v_to
               and r.id = any (p_runs) and r.fire_time between v_from and v_to
               and (k.attempt is null or s.attempt = k.attempt)
               and s.status is not distinct from 'PENDING' and not s.waiting and s.not_before <= clock_timestamp()
               and (s.pinned_node is null or s.pinned_node = p_node)
               and not r.stop_requested
             order by s.run_id, s.item, s.attempt for update of s) f;
    -- nearly always all of them are free: nothing else is to be looked for, and no limit to be heeded
    if v_limits is null and cardinality(v_runs) = cardinality(p_runs) then
        return query
            select * from shardkeeper.take_rows(p_incarnation, p_node, v_runs, v_fires, v_items, v_tries) t
             order by t.run_id, t.item;
        update shardkeeper.job_run r set status = 'RUNNING', started_at = clock_timestamp()
         where r.id = any (v_runs) and r.fire_time between v_from and v_to and r.status = 'CREATED';
        return;
    end if;

    with free as materialized (
        select * from unnest(v_runs, v_fires, v_items, v_tries, v_jobs) f (run_id, fire_time, item, attempt, job_name)),
    locked as materialized (
        select array_agg(f.run_id) as runs, array_agg(f.fire_time) as fires, array_agg(f.item) as items,
               array_agg(f.attempt) as attempts
          from free f where f.job_name in (select l.job_name from unnest(v_limits) l)),
    admitted as materialized (
        select a.* from locked k
         cross join lateral shardkeeper.admit_attempts(v_limits, k.runs, k.fires, k.items, k.attempts) a
         where v_limits is not null),
    starting as materialized (
        select f.*, a.run_id is not null as limited, a.pool, a.value
          from free f left join admitted a on a.run_id = f.run_id and a.item = f.item and a.attempt = f.attempt
         where a.run_id is not null or f.job_name not in (select l.job_name from unnest(v_limits) l)),
    taken as (
        update shardkeeper.shard_run s
           set status = 'RUNNING', node_id = p_node, incarnation = p_incarnation, claim_no = s.claim_no + 1,
               claimed_at = clock_timestamp(), started_at = null, phase = null, progress = null,
               progress_message = null, limited = f.limited, pool = f.pool, concurrency_value = f.value
          from starting f
         where s.run_id = f.run_id and s.fire_time = f.fire_time and s.item = f.item and s.attempt = f.attempt
           and s.run_id = any (p_runs) and s.item = any (p_items) and s.fire_time between v_from and v_to
        returning s.run_id)
    select array_agg(distinct t.run_id) into v_begun from taken t;

    update shardkeeper.job_run r set status = 'RUNNING', started_at = clock_timestamp()
     where r.id = any (v_begun) and r.fire_time between v_from and v_to and r.status = 'CREATED';

    return query
        select distinct on (s.run_id, s.item) s.run_id, s.fire_time, s.item, s.attempt, s.claim_no, s.checkpoint,
               s.tries, s.takeovers, r.stop_requested, r.job_name, r.trigger_kind, r.job_version, r.impl_version,
               r.sharding_total_count, r.parameters, s.compensates
          from unnest(p_runs, p_fires, p_items, p_attempts) k (run_id, fire_time, item, attempt)
          join shardkeeper.shard_run s on s.run_id = k.run_id and s.fire_time = k.fire_time and s.item = k.item
          join shardkeeper.job_run r on r.id = k.run_id and r.fire_time = k.fire_time
         where s.run_id = any (p_runs) and s.item = any (p_items) and s.fire_time between v_from and v_to
           and r.id = any (p_runs) and r.fire_time between v_from and v_to
           and (k.attempt is null or s.attempt = k.attempt)
           and s.status is not distinct from 'RUNNING' and s.incarnation is not distinct from p_incarnation
         order by s.run_id, s.item, s.attempt desc;
end
$$;

-- The port's claim: only for an active incarnation.
create function shardkeeper.claim_attempts(
    p_incarnation text, p_runs bigint[], p_fires timestamptz[], p_items integer[], p_attempts integer[])
    returns setof shardkeeper.claimed_attempt language plpgsql as $$
declare
    v_node text := shardkeeper.lock_own_lease(p_incarnation, array['active']);
begin
    if v_node is not null then
        return query select * from shardkeeper.claim_rows(
            p_incarnation, v_node, p_runs, p_fires, p_items, p_attempts);
    end if;
end
$$;

-- The port's pull: attempts without an owner, for whoever has room. Best first by claim_key, in which age makes up for
-- priority; what another node pulls at the same moment is passed over. By job: one that this node does not run
-- (`p_not_jobs`) hides no other, however long its queue. The runs' own rows are left alone, so that a pull waits for
-- nobody: a run is RUNNING once its attempt has said that it began.
create function shardkeeper.pull_attempts(p_incarnation text, p_most integer, p_not_jobs text[])
    returns setof shardkeeper.claimed_attempt
    language plpgsql
    set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
    v_node   text := shardkeeper.lock_own_lease(p_incarnation, array['active']);
    v_jobs   text[];
    v_limits shardkeeper.job_limit[];
    v_quota  integer[];
    v_runs   bigint[];
    v_fires  timestamptz[];
    v_items  integer[];
    v_tries  integer[];
begin
    if v_node is null then
        return;
    end if;
    v_jobs := shardkeeper.jobs_to_pull(p_not_jobs);
    if v_jobs is null then
        return;
    end if;
    v_limits := shardkeeper.limits_of(v_jobs);
    if v_limits is not null then
        return query select * from shardkeeper.pull_within_limits(p_incarnation, v_node, p_most, v_jobs, v_limits);
        return;
    end if;
    v_quota := shardkeeper.pull_quotas(v_jobs, '{}', '{}', p_most);
    select array_agg(s.run_id order by s.run_id), array_agg(s.fire_time order by s.run_id),
           array_agg(s.item order by s.run_id), array_agg(s.attempt order by s.run_id)
      into v_runs, v_fires, v_items, v_tries
      from unnest(v_jobs, v_quota) j (job_name, quota)
     cross join lateral (
           select s.run_id, s.fire_time, s.item, s.attempt from shardkeeper.shard_run s
            where s.job_name = j.job_name and s.status = 'PENDING' and not s.waiting and s.claim_key is not null
              and s.not_before <= clock_timestamp()
            order by s.claim_key limit j.quota for update skip locked) s;
    if v_runs is not null then
        return query select * from shardkeeper.take_rows(p_incarnation, v_node, v_runs, v_fires, v_items, v_tries);
    end if;
end
$$;

-- The same where some of the jobs have limits: of each no more than may start, and none of a value of its
-- concurrency_key that is used up. Only the limits of jobs that have room are locked: a queue that waits for a place
-- makes nobody take turns.
create function shardkeeper.pull_within_limits(
    p_incarnation text, p_node text, p_most integer, p_jobs text[], p_limits shardkeeper.job_limit[])
    returns setof shardkeeper.claimed_attempt
    language plpgsql
    set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
    v_jobs   text[];
    v_limits shardkeeper.job_limit[];
    v_open   text[];
    v_room   integer[];
    v_full   text[];
    v_quota  integer[];
    v_chosen integer;
    v_runs   bigint[];
    v_fires  timestamptz[];
    v_items  integer[];
    v_tries  integer[];
    v_marked integer[];
    v_pools  text[];
    v_values text[];
begin
    select array_agg(j.job_name) into v_jobs
      from unnest(p_jobs) j (job_name) left join shardkeeper.allowances(p_limits) a on a.job_name = j.job_name
     where a.room is null or a.room > 0;
    if v_jobs is null then
        return;
    end if;
    v_limits := shardkeeper.lock_limits(v_jobs);
    -- What was chosen and may not start has used up a limit beside what was chosen with it. That is left out the next time,
    -- or a long queue for one place would keep from a node what waits behind it.
    for v_round in 1 .. 8 loop
        -- again, now that nobody else can start any
        select array_agg(j.job_name), array_agg(least(coalesce(a.room, p_most), p_most)),
               array_agg(a.job_name || e'\x1f' || f.value) filter (where f.value is not null)
          into v_open, v_room, v_full
          from unnest(v_jobs) j (job_name)
          left join shardkeeper.allowances(v_limits) a on a.job_name = j.job_name
          left join lateral unnest(a.full_values) f (value) on true
         where a.room is null or a.room > 0;
        exit when v_open is null;
        -- once for each job, however many of its values are used up
        select array_agg(d.job_name), array_agg(d.room) into v_open, v_room
          from (select distinct u.job_name, u.room from unnest(v_open, v_room) u (job_name, room)) d;
        v_quota := shardkeeper.pull_quotas(v_open, v_room, v_full, p_most);
        select array_agg(s.run_id order by s.run_id, s.item), array_agg(s.fire_time order by s.run_id, s.item),
               array_agg(s.item order by s.run_id, s.item), array_agg(s.attempt order by s.run_id, s.item)
          into v_runs, v_fires, v_items, v_tries
          from unnest(v_open, v_quota) j (job_name, quota)
         cross join lateral (
               select s.run_id, s.fire_time, s.item, s.attempt from shardkeeper.shard_run s
                where s.job_name = j.job_name and s.status = 'PENDING' and not s.waiting and s.claim_key is not null
                  and s.not_before <= clock_timestamp()
                  and (s.concurrency_value is null
                       or (j.job_name || e'\x1f' || s.concurrency_value = any (v_full)) is not true)
                order by s.claim_key limit j.quota for update skip locked) s;
        exit when v_runs is null;
        v_chosen := cardinality(v_runs);
        select array_agg(p.run_id order by p.run_id, p.item), array_agg(p.fire_time order by p.run_id, p.item),
               array_agg(p.item order by p.run_id, p.item), array_agg(p.attempt order by p.run_id, p.item),
               array_agg(case when a.run_id is null then 0 else 1 end order by p.run_id, p.item),
               array_agg(a.pool order by p.run_id, p.item), array_agg(a.value order by p.run_id, p.item)
          into v_runs, v_fires, v_items, v_tries, v_marked, v_pools, v_values
          from shardkeeper.picked(v_runs, v_fires, v_items, v_tries) p
          left join shardkeeper.admit_attempts(v_limits, v_runs, v_fires, v_items, v_tries) a
            on a.run_id = p.run_id and a.item = p.item and a.attempt = p.attempt
         where a.run_id is not null or p.job_name not in (select l.job_name from unnest(v_limits) l);
        continue when v_runs is null;
        return query
            select * from shardkeeper.take_rows(p_incarnation, p_node, v_runs, v_fires, v_items, v_tries, v_marked,
                                                v_pools, v_values);
        p_most := p_most - cardinality(v_runs);
        exit when p_most <= 0 or cardinality(v_runs) = v_chosen;
    end loop;
end
$$;

-- Attempts that were locked, with their jobs.
create function shardkeeper.picked(p_runs bigint[], p_fires timestamptz[], p_items integer[], p_attempts integer[])
    returns table (run_id bigint, fire_time timestamptz, item integer, attempt integer, job_name text)
    language plpgsql stable
    set enable_seqscan = off set enable_nestloop = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
    v_from timestamptz;
    v_to   timestamptz;
begin
    select min(f), max(f) into v_from, v_to from unnest(p_fires) f;
    return query
        select s.run_id, s.fire_time, s.item, s.attempt, s.job_name
          from unnest(p_runs, p_fires, p_items, p_attempts) k (run_id, fire_time, item, attempt)
          join shardkeeper.shard_run s on s.run_id = k.run_id and s.fire_time = k.fire_time and s.item = k.item
                                      and s.attempt = k.attempt
         where s.run_id = any (p_runs) and s.fire_time between v_from and v_to;
end
$$;

-- Jobs with attempts that may be pulled now: one step through the index for each, however many attempts it has.
create function shardkeeper.jobs_to_pull(p_not_jobs text[]) returns text[]
    language plpgsql stable
    set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
begin
    return (
        with recursive jobs as (
            (select s.job_name from shardkeeper.shard_run s
              where s.status = 'PENDING' and not s.waiting and s.claim_key is not null
              order by s.job_name limit 1)
            union all
            select (select s.job_name from shardkeeper.shard_run s
                     where s.status = 'PENDING' and not s.waiting and s.claim_key is not null
                       and s.job_name > j.job_name
                     order by s.job_name limit 1)
              from jobs j where j.job_name is not null)
        select array_agg(j.job_name) from jobs j where j.job_name is not null and j.job_name <> all (p_not_jobs));
end
$$;

-- How many of each job belong to the best `p_most` of all, of which each job has no more than its room, and none of the
-- values that are used up.
create function shardkeeper.pull_quotas(p_jobs text[], p_rooms integer[], p_full text[], p_most integer)
    returns integer[]
    language plpgsql stable
    set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
begin
    if cardinality(p_jobs) = 1 then
        return array[least(p_most, p_rooms[1])];
    end if;
    return (
        select array_agg(coalesce(q.quota, 0) order by j.place)
          from unnest(p_jobs) with ordinality j (job_name, place)
          left join (select b.job_name, count(*)::integer as quota
                       from (select w.job_name, s.claim_key
                               from unnest(p_jobs, p_rooms) w (job_name, room)
                              cross join lateral (
                                    select s.claim_key from shardkeeper.shard_run s
                                     where s.job_name = w.job_name and s.status = 'PENDING' and not s.waiting
                                       and s.claim_key is not null and s.not_before <= clock_timestamp()
                                       and (s.concurrency_value is null
                                            or (w.job_name || e'\x1f' || s.concurrency_value = any (p_full)) is not true)
                                     order by s.claim_key limit least(p_most, w.room)) s
                              order by s.claim_key limit p_most) b
                      group by b.job_name) q on q.job_name = j.job_name);
end
$$;

-- Makes attempts that the caller has locked its own, and tells what a launch needs. Those that a limit let through bear
-- the marks by which they count (`p_marked` 1).
create function shardkeeper.take_rows(
    p_incarnation text, p_node text, p_runs bigint[], p_fires timestamptz[], p_items integer[], p_attempts integer[],
    p_marked integer[] default '{}', p_pools text[] default '{}', p_values text[] default '{}')
    returns setof shardkeeper.claimed_attempt
    language plpgsql
    set enable_seqscan = off set enable_nestloop = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
declare
    v_now  timestamptz := clock_timestamp();
    v_from timestamptz;
    v_to   timestamptz;
begin
    select min(f), max(f) into v_from, v_to from unnest(p_fires) f;
    return query
        with taken as (
            update shardkeeper.shard_run s
               set status = 'RUNNING', node_id = p_node, incarnation = p_incarnation, claim_no = s.claim_no + 1,
                   claimed_at = v_now, started_at = null, phase = null, progress = null, progress_message = null,
                   limited = k.marked is not distinct from 1, pool = k.pool, concurrency_value = k.value
              from unnest(p_runs, p_fires, p_items, p_attempts, p_marked, p_pools, p_values)
                       k (run_id, fire_time, item, attempt, marked, pool, value)
             where s.run_id = k.run_id and s.fire_time = k.fire_time and s.item = k.item and s.attempt = k.attempt
               and s.run_id = any (p_runs) and s.fire_time between v_from and v_to
            returning s.run_id, s.fire_time, s.item, s.attempt, s.claim_no, s.checkpoint, s.tries, s.takeovers,
                      s.compensates)
        select t.run_id, t.fire_time, t.item, t.attempt, t.claim_no, t.checkpoint, t.tries, t.takeovers,
               r.stop_requested, r.job_name, r.trigger_kind, r.job_version, r.impl_version, r.sharding_total_count,
               r.parameters, t.compensates
          from taken t join shardkeeper.job_run r on r.id = t.run_id and r.fire_time = t.fire_time
         where r.id = any (p_runs) and r.fire_time between v_from and v_to;
end
$$;

-- What may be claimed now by its owner, longest waiting first, of what waits for a limit only what might get it; and the
-- heads of the queues of what has no owner, where nobody pulled them for seconds: not to be claimed, but closed if it
-- shows that nobody can run them. now() is the start of this one statement, and lets the index serve.
create function shardkeeper.pending_attempts(p_incarnation text, p_limit integer)
    returns table (run_id bigint, fire_time timestamptz, item integer, attempt integer, job_name text,
                   trigger_kind text, job_version bigint, impl_version bigint, sharding_total_count integer,
                   pinned_node text, owned boolean, waiting_s double precision, declined_by text[])
    language sql stable as $$
    with found as materialized (
        select s.run_id, s.fire_time, s.item, s.attempt, s.job_name, s.pinned_node, s.not_before, s.concurrency_value,
               extract(epoch from now() - s.not_before)::double precision as waiting_s,
               r.trigger_kind, r.job_version, r.impl_version, r.sharding_total_count
          from shardkeeper.shard_run s
          join shardkeeper.job_run r on r.id = s.run_id and r.fire_time = s.fire_time
          join shardkeeper.lease l on l.incarnation = p_incarnation and l.state = 'active'
         where s.status = 'PENDING' and not s.waiting and s.claim_key is null and s.not_before <= now()
           and s.job_name <> all ((select shardkeeper.held_jobs())::text[])
           and (s.concurrency_value is null
                or s.job_name || e'\x1f' || s.concurrency_value <> all ((select shardkeeper.held_values())::text[]))
           and not r.stop_requested
           -- what is pinned to a node that takes no work is shown to all, or nobody would ever close it
           and (s.pinned_node is null or s.pinned_node = l.node_id
                or not exists (select 1 from shardkeeper.lease o
                                where o.node_id = s.pinned_node and o.state = 'active'))
         -- by the index alone: a long queue is not sorted for the few at its head
         order by s.not_before limit p_limit),
    placed as materialized (
        select f.*, row_number() over (order by f.not_before, f.run_id, f.item) as place from found f),
    hidden as materialized (
        select h.place from unnest((select shardkeeper.beyond_limits(array_agg(p.job_name order by p.place),
                                                                     array_agg(p.concurrency_value order by p.place))
                                      from placed p)) h (place))
    select f.run_id, f.fire_time, f.item, f.attempt, f.job_name, f.trigger_kind, f.job_version, f.impl_version,
           f.sharding_total_count, f.pinned_node, f.owned, f.waiting_s,
           array(select distinct d.node_id from shardkeeper.node_decline d
                  where d.job_name = f.job_name and d.job_version in (0, f.job_version)
                        and d.impl_version in (0, f.impl_version) order by d.node_id)
      from (select p.run_id, p.fire_time, p.item, p.attempt, p.job_name, p.pinned_node, p.not_before, true as owned,
                   p.waiting_s, p.trigger_kind, p.job_version, p.impl_version, p.sharding_total_count
              from placed p where not exists (select from hidden h where h.place = p.place)
            union all
            select h.run_id, h.fire_time, h.item, h.attempt, h.job_name, null, h.not_before, false,
                   extract(epoch from now() - h.not_before)::double precision,
                   r.trigger_kind, r.job_version, r.impl_version, r.sharding_total_count
              from shardkeeper.lease l
             cross join unnest(shardkeeper.jobs_to_pull('{}')) j (job_name)
             cross join lateral (
                   select s.* from shardkeeper.shard_run s
                    where s.job_name = j.job_name and s.status = 'PENDING' and not s.waiting
                      and s.claim_key is not null and s.not_before <= now() - interval '5 seconds'
                    order by s.claim_key limit 100) h
              join shardkeeper.job_run r on r.id = h.run_id and r.fire_time = h.fire_time
             where l.incarnation = p_incarnation and l.state = 'active' and not r.stop_requested) f
     order by f.not_before, f.run_id, f.item
$$;

-- Closes attempts that are still PENDING as FAILED: nobody could run them for too long.
create function shardkeeper.close_unrunnable(
    p_incarnation text, p_runs bigint[], p_fires timestamptz[], p_items integer[], p_attempts integer[], p_reason text)
    returns integer
    language plpgsql
    set enable_seqscan = off set enable_nestloop = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
declare
    v_from  timestamptz;
    v_to    timestamptz;
    v_runs  bigint[];
    v_fires timestamptz[];
begin
    if shardkeeper.lock_own_lease(p_incarnation, array['active', 'draining']) is null then
        return 0;
    end if;
    perform shardkeeper.lock_runs(p_runs, p_fires);
    select min(f), max(f) into v_from, v_to from unnest(p_fires) f;
    with free as materialized (
        select s.run_id, s.fire_time, s.item, s.attempt
          from unnest(p_runs, p_fires, p_items, p_attempts) k (run_id, fire_time, item, attempt)
          join shardkeeper.shard_run s on s.run_id = k.run_id and s.fire_time = k.fire_time
                                      and s.item = k.item and s.attempt = k.attempt
         where s.run_id = any (p_runs) and s.item = any (p_items) and s.fire_time between v_from and v_to
           and s.status is not distinct from 'PENDING' and not s.waiting and s.not_before <= clock_timestamp()
         order by s.run_id, s.item, s.attempt for update of s),
    closed as (
        update shardkeeper.shard_run s
           set status = 'FAILED', finished_at = clock_timestamp(), error_type = 'NoEligibleNode',
               error_message = p_reason
          from free f
         where s.run_id = f.run_id and s.fire_time = f.fire_time and s.item = f.item and s.attempt = f.attempt
           and s.run_id = any (p_runs) and s.item = any (p_items) and s.fire_time between v_from and v_to
        returning s.run_id, s.fire_time)
    select array_agg(c.run_id), array_agg(c.fire_time) into v_runs, v_fires from closed c;
    if v_runs is null then
        return 0;
    end if;
    perform shardkeeper.settle_items(v_runs, v_fires);
    return cardinality(v_runs);
end
$$;
