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
    trigger_kind         text,
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
    set enable_seqscan = off set enable_nestloop = off set plan_cache_mode = force_generic_plan as $$
declare
    v_from  timestamptz;
    v_to    timestamptz;
    v_begun bigint[];
begin
    select min(f), max(f) into v_from, v_to from unnest(p_fires) f;
    -- runs that this claim may begin, before their attempts
    perform 1 from shardkeeper.job_run r
      where r.id = any (p_runs) and r.fire_time between v_from and v_to
        and r.status = 'CREATED' and not r.waiting and not r.stop_requested
      order by r.id for no key update;

    with free as materialized (
        select s.run_id, s.fire_time, s.item, s.attempt
          from unnest(p_runs, p_fires, p_items, p_attempts) k (run_id, fire_time, item, attempt)
          join shardkeeper.shard_run s on s.run_id = k.run_id and s.fire_time = k.fire_time and s.item = k.item
          join shardkeeper.job_run r on r.id = k.run_id and r.fire_time = k.fire_time
         where s.run_id = any (p_runs) and s.item = any (p_items) and s.fire_time between v_from and v_to
           and r.id = any (p_runs) and r.fire_time between v_from and v_to
           and (k.attempt is null or s.attempt = k.attempt)
           and s.status is not distinct from 'PENDING' and not s.waiting and s.not_before <= clock_timestamp()
           and (s.pinned_node is null or s.pinned_node = p_node)
           and not r.stop_requested
         order by s.run_id, s.item, s.attempt for update of s),
    taken as (
        update shardkeeper.shard_run s
           set status = 'RUNNING', node_id = p_node, incarnation = p_incarnation, claim_no = s.claim_no + 1,
               claimed_at = clock_timestamp(), started_at = null, phase = null, progress = null,
               progress_message = null
          from free f
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

-- What may be claimed now, longest waiting first. now() is the start of this one statement, and lets the index serve.
create function shardkeeper.pending_attempts(p_incarnation text, p_limit integer)
    returns table (run_id bigint, fire_time timestamptz, item integer, attempt integer, job_name text,
                   trigger_kind text, job_version bigint, impl_version bigint, sharding_total_count integer,
                   pinned_node text, waiting_s double precision, declined_by text[])
    language sql stable as $$
    select f.run_id, f.fire_time, f.item, f.attempt, f.job_name, f.trigger_kind, f.job_version, f.impl_version,
           f.sharding_total_count, f.pinned_node, f.waiting_s,
           array(select distinct d.node_id from shardkeeper.node_decline d
                  where d.job_name = f.job_name and d.job_version in (0, f.job_version)
                        and d.impl_version in (0, f.impl_version) order by d.node_id)
      from (select s.run_id, s.fire_time, s.item, s.attempt, s.job_name, s.pinned_node, s.not_before,
                   extract(epoch from now() - s.not_before)::double precision as waiting_s,
                   r.trigger_kind, r.job_version, r.impl_version, r.sharding_total_count
              from shardkeeper.shard_run s
              join shardkeeper.job_run r on r.id = s.run_id and r.fire_time = s.fire_time
              join shardkeeper.lease l on l.incarnation = p_incarnation and l.state = 'active'
             where s.status = 'PENDING' and not s.waiting and s.not_before <= now()
               and not r.stop_requested
               -- what is pinned to a node that takes no work is shown to all, or nobody would ever close it
               and (s.pinned_node is null or s.pinned_node = l.node_id
                    or not exists (select 1 from shardkeeper.lease o
                                    where o.node_id = s.pinned_node and o.state = 'active'))
             -- by the index alone: a long queue is not sorted for the few at its head
             order by s.not_before limit p_limit) f
     order by f.not_before, f.run_id, f.item
$$;

-- Closes attempts that are still PENDING as FAILED: nobody could run them for too long.
create function shardkeeper.close_unrunnable(
    p_incarnation text, p_runs bigint[], p_fires timestamptz[], p_items integer[], p_attempts integer[], p_reason text)
    returns integer
    language plpgsql
    set enable_seqscan = off set enable_nestloop = off set plan_cache_mode = force_generic_plan as $$
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
