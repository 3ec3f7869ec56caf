-- Limits shared by nodes: named pools, attempts of a job, attempts of one value of a parameter, starts in a period
-- (docs/architecture.md, rule 16).
--
-- No number is kept that could leak. Whoever starts attempts locks the rows in limit_state of what limits them, all in
-- one order, counts what is RUNNING in a statement of its own (whose snapshot is newer than the lock), and starts no
-- more than fit. So closing an attempt, by whatever way, needs to tell nobody. Of the rate alone something is kept:
-- the instant up to which starts are paid for (GCRA: ITU-T I.371, the generic cell rate algorithm).
--
-- What limits an attempt is what its job's newest valid version says now, whichever version its run pins: who lowers a
-- limit means what waits too. A RUNNING attempt bears the marks under which it was started, and counts for them.
--
-- Locks: lease, limit_state, job_run, shard_run. Creations claim nothing of limited jobs, since they hold new keys.

create type shardkeeper.job_limit as (
    job_name            text,
    pool                text,
    pool_size           integer,
    max_running         integer,
    concurrency_key     text,
    max_running_per_key integer,
    rate_limit          integer,
    rate_period         interval
);

-- A pool's row lives as long as the pool; a job's from its first limited version on (020_versions.sql).
create function shardkeeper.keep_pool_state() returns trigger
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if tg_op <> 'INSERT' then
        delete from shardkeeper.limit_state l where l.kind = 'pool' and l.name = old.name;
    end if;
    if tg_op <> 'DELETE' then
        insert into shardkeeper.limit_state (kind, name) values ('pool', new.name) on conflict do nothing;
    end if;
    return null;
end
$$;
create trigger limits after insert or delete or update of name on shardkeeper.pool
    for each row execute function shardkeeper.keep_pool_state();

-- The limits in force for those of these jobs that have any; null where none has: most installations have a small
-- limit_state, and ask nothing else.
create function shardkeeper.limits_of(p_jobs text[]) returns shardkeeper.job_limit[]
    language plpgsql stable
    set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
    v_now timestamptz := clock_timestamp();
begin
    return (
        select array_agg(row(v.job_name, v.pool, p.size, v.max_running, v.concurrency_key, v.max_running_per_key,
                             v.rate_limit, v.rate_period)::shardkeeper.job_limit order by v.job_name)
          from shardkeeper.limit_state l
         cross join lateral shardkeeper.job_version_at(l.name, v_now) v
          left join shardkeeper.pool p on p.name = v.pool
         where l.kind = 'job' and l.name = any (p_jobs) and v.limited);
end
$$;

-- The same, locked until commit: whoever else would start attempts under one of them waits.
create function shardkeeper.lock_limits(p_jobs text[]) returns shardkeeper.job_limit[]
    language plpgsql
    set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
    v_limits shardkeeper.job_limit[] := shardkeeper.limits_of(p_jobs);
    v_jobs   text[];
    v_pools  text[];
begin
    if v_limits is not null then
        select array_agg(l.job_name), array_agg(distinct l.pool) into v_jobs, v_pools from unnest(v_limits) l;
        perform 1 from shardkeeper.limit_state s
          where (s.kind = 'job' and s.name = any (v_jobs)) or (s.kind = 'pool' and s.name = any (v_pools))
          order by s.kind, s.name for no key update;
    end if;
    return v_limits;
end
$$;

-- How many starts a rate allows now, at most `p_limit`. `p_tat` is the instant up to which starts are paid for; each
-- costs a `p_limit`th of the period, rounded up to a microsecond, and so much as a period may be paid ahead.
create function shardkeeper.rate_room(p_tat timestamptz, p_limit integer, p_period interval, p_now timestamptz)
    returns integer language sql immutable parallel safe
    -- the thousandth makes up for the rounding
    return floor((extract(epoch from p_period)
                  - least(greatest(extract(epoch from coalesce(p_tat, p_now) - p_now), 0), extract(epoch from p_period)))
                 * p_limit / extract(epoch from p_period) + 0.001)::integer;

-- How many more attempts may start: in the job's pool, and of the job (max_running and rate); null: any number.
create function shardkeeper.limit_rooms(p_limits shardkeeper.job_limit[])
    returns table (job_name text, pool text, pool_room integer, job_room integer, key_size integer)
    language plpgsql
    set enable_seqscan = off set enable_nestloop = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
    v_now   timestamptz := clock_timestamp();
    v_jobs  text[];
    v_pools text[];
begin
    select array_agg(l.job_name), array_agg(distinct l.pool) into v_jobs, v_pools from unnest(p_limits) l;
    return query
        with in_pools as materialized (
            select s.pool, count(*)::integer as running from shardkeeper.shard_run s
             where s.pool = any (v_pools) and s.status = 'RUNNING' and s.pool is not null group by s.pool),
        of_jobs as materialized (
            select s.job_name, count(*)::integer as running from shardkeeper.shard_run s
             where s.job_name = any (v_jobs) and s.status = 'RUNNING' and s.limited group by s.job_name)
        -- of several the least, leaving out those that there are not
        select l.job_name, l.pool, l.pool_size - coalesce(p.running, 0),
               least(l.max_running - coalesce(j.running, 0),
                     case when l.rate_limit is not null
                          then shardkeeper.rate_room(t.tat, l.rate_limit, l.rate_period, v_now) end),
               case when l.concurrency_key is not null then l.max_running_per_key end
          from unnest(p_limits) l
          left join shardkeeper.limit_state t on t.kind = 'job' and t.name = l.job_name and t.name = any (v_jobs)
          left join in_pools p on p.pool = l.pool
          left join of_jobs j on j.job_name = l.job_name;
end
$$;

-- For whoever is about to choose attempts of these jobs: how many of each may start, and the values of its
-- concurrency_key of which none may.
create function shardkeeper.allowances(p_limits shardkeeper.job_limit[])
    returns table (job_name text, room integer, full_values text[])
    language plpgsql
    set enable_seqscan = off set enable_nestloop = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
    v_keyed text[];
begin
    select array_agg(l.job_name) into v_keyed from unnest(p_limits) l where l.concurrency_key is not null;
    return query
        with in_use as materialized (
            select s.job_name, s.concurrency_value, count(*)::integer as running from shardkeeper.shard_run s
             where s.job_name = any (v_keyed) and s.status = 'RUNNING' and s.limited
               and s.concurrency_value is not null
             group by 1, 2),
        used_up as materialized (
            select u.job_name, array_agg(u.concurrency_value) as full_values
              from in_use u join unnest(p_limits) l on l.job_name = u.job_name
             where u.running >= l.max_running_per_key group by 1)
        select r.job_name, greatest(coalesce(least(r.pool_room, r.job_room), 1000000), 0), coalesce(u.full_values, '{}')
          from shardkeeper.limit_rooms(p_limits) r left join used_up u on u.job_name = r.job_name;
end
$$;

-- Which of these candidates fit, by their places, the first ones first; `p_values` are those of their concurrency_key.
-- Value, job and pool lie one within the other, so that each may be judged among those that the one before let through.
-- `p_spare`: how many more of each are let through where there is room at all.
create function shardkeeper.fitting(
    p_limits shardkeeper.job_limit[], p_jobs text[], p_values text[], p_spare integer) returns integer[]
    language plpgsql
    set enable_seqscan = off set enable_nestloop = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
declare
    v_keyed text[];
begin
    select array_agg(l.job_name) into v_keyed from unnest(p_limits) l where l.concurrency_key is not null;
    return (
        with in_use as materialized (
            select s.job_name, s.concurrency_value as value, count(*)::integer as running from shardkeeper.shard_run s
             where s.job_name = any (v_keyed) and s.status = 'RUNNING' and s.limited
               and s.concurrency_value = any (p_values)
             group by 1, 2),
        by_value as materialized (
            select c.place, r.*, c.value, r.key_size - coalesce(u.running, 0) as key_room,
                   row_number() over (partition by c.job_name, c.value order by c.place) as rank
              from unnest(p_jobs, p_values) with ordinality c (job_name, value, place)
              join shardkeeper.limit_rooms(p_limits) r on r.job_name = c.job_name
              left join in_use u on u.job_name = c.job_name and u.value = c.value),
        by_job as materialized (
            select v.place, v.pool, v.pool_room, v.job_room,
                   row_number() over (partition by v.job_name order by v.place) as rank
              from by_value v
             where v.value is null or v.key_room is null
                or v.rank <= v.key_room + case when v.key_room > 0 then p_spare else 0 end),
        by_pool as materialized (
            select j.place, j.pool_room, row_number() over (partition by j.pool order by j.place) as rank
              from by_job j
             where j.job_room is null or j.rank <= j.job_room + case when j.job_room > 0 then p_spare else 0 end)
        select coalesce(array_agg(p.place::integer order by p.place), '{}') from by_pool p
         where p.pool_room is null or p.rank <= p.pool_room + case when p.pool_room > 0 then p_spare else 0 end);
end
$$;

-- Which of these candidates start now; the caller has locked the limits. Takes what their rates cost: should one of
-- them not start after all, that is lost, and nothing else.
create function shardkeeper.admit(p_limits shardkeeper.job_limit[], p_jobs text[], p_values text[]) returns integer[]
    language plpgsql
    set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
    v_places integer[] := shardkeeper.fitting(p_limits, p_jobs, p_values, 0);
    v_now    timestamptz := clock_timestamp();
begin
    update shardkeeper.limit_state t
       -- never more than a period ahead: the clock may have been set back, or the period made shorter
       set tat = least(greatest(t.tat, v_now), v_now + l.rate_period)
                 + ceil(c.starts * extract(epoch from l.rate_period) * 1000000 / l.rate_limit)::double precision
                   * interval '1 microsecond'
      from unnest(p_limits) l
     cross join lateral (select count(*) as starts from unnest(v_places) p where p_jobs[p] = l.job_name) c
     where l.rate_limit is not null and t.kind = 'job' and t.name = l.job_name
       and (c.starts > 0 or t.tat > v_now + l.rate_period);
    return v_places;
end
$$;

-- A run's value of a parameter by which attempts are counted: the run's own, else its job version's, else its
-- ImplSpec's. Null: none, and not counted. What is long is counted by its digest, since an index holds it.
create function shardkeeper.concurrency_value(
    p_key text, p_parameters jsonb, p_job_version bigint, p_impl_version bigint) returns text
    language plpgsql stable as $$
declare
    v_found jsonb := p_parameters -> p_key;
    v_value text;
begin
    if v_found is null then
        select v.spec -> 'parameters' -> p_key into v_found from shardkeeper.job_version v where v.version = p_job_version;
    end if;
    if v_found is null then
        select v.impl -> 'parameters' -> p_key into v_found from shardkeeper.impl_version v
         where v.version = p_impl_version;
    end if;
    v_value := v_found #>> '{}';
    return case when octet_length(v_value) > 200 then md5(v_value) else v_value end;
end
$$;

-- Which of these attempts start now, and the marks by which they count while they run. The caller has locked their
-- limits, and then their rows; what is of a job without limits is not in the answer.
create function shardkeeper.admit_attempts(
    p_limits shardkeeper.job_limit[], p_runs bigint[], p_fires timestamptz[], p_items integer[], p_attempts integer[])
    returns table (run_id bigint, item integer, attempt integer, pool text, value text)
    language plpgsql
    set enable_seqscan = off set enable_nestloop = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
    v_from   timestamptz;
    v_to     timestamptz;
    v_jobs   text[];
    v_values text[];
    v_runs   bigint[];
    v_items  integer[];
    v_tries  integer[];
    v_places integer[];
begin
    if p_runs is null then
        return;
    end if;
    select min(f), max(f) into v_from, v_to from unnest(p_fires) f;
    select array_agg(c.job_name order by c.since, c.run_id, c.item), array_agg(c.value order by c.since, c.run_id, c.item),
           array_agg(c.run_id order by c.since, c.run_id, c.item), array_agg(c.item order by c.since, c.run_id, c.item),
           array_agg(c.attempt order by c.since, c.run_id, c.item)
      into v_jobs, v_values, v_runs, v_items, v_tries
      from (select s.job_name, s.run_id, s.item, s.attempt, coalesce(s.claim_key, s.not_before) as since,
                   case when l.concurrency_key is not null
                        then shardkeeper.concurrency_value(l.concurrency_key, r.parameters, r.job_version,
                                                           r.impl_version) end as value
              from unnest(p_runs, p_fires, p_items, p_attempts) k (run_id, fire_time, item, attempt)
              join shardkeeper.shard_run s on s.run_id = k.run_id and s.fire_time = k.fire_time and s.item = k.item
                                          and s.attempt = k.attempt
              join shardkeeper.job_run r on r.id = k.run_id and r.fire_time = k.fire_time
              join unnest(p_limits) l on l.job_name = s.job_name
             where s.run_id = any (p_runs) and s.item = any (p_items) and s.fire_time between v_from and v_to
               and r.id = any (p_runs) and r.fire_time between v_from and v_to) c;
    v_places := shardkeeper.admit(p_limits, v_jobs, v_values);
    if cardinality(v_places) < cardinality(v_runs) then
        -- What was inserted under another concurrency_key, or none, has to bear its value too: by that it is left out of
        -- looks and pulls while the value is used up, instead of hiding what waits behind it.
        update shardkeeper.shard_run s set concurrency_value = c.value
          from unnest(v_runs, v_items, v_tries, v_values) with ordinality c (run_id, item, attempt, value, place)
         where s.run_id = c.run_id and s.item = c.item and s.attempt = c.attempt and c.place <> all (v_places)
           and s.run_id = any (v_runs) and s.item = any (v_items) and s.fire_time between v_from and v_to
           and s.concurrency_value is distinct from c.value;
    end if;
    return query
        select v_runs[p], v_items[p], v_tries[p], l.pool, v_values[p]
          from unnest(v_places) p join unnest(p_limits) l on l.job_name = v_jobs[p];
end
$$;

-- The jobs of which nothing may start now, whatever it is: a look at what is PENDING leaves them out, or those that
-- wait for a limit would hide all that waits behind them. By the specs as they stand, since that is cheap for a pool of
-- thousands of jobs; a job whose newest version is invalid is left to the claim, which goes by the one in force.
create function shardkeeper.held_jobs() returns text[]
    language plpgsql stable as $$
declare
    v_now timestamptz := clock_timestamp();
begin
    if not exists (select from shardkeeper.limit_state l where l.kind = 'job') then
        return '{}';
    end if;
    return (
        with in_pools as materialized (
            select s.pool, count(*) as running from shardkeeper.shard_run s
             where s.status = 'RUNNING' and s.pool is not null group by s.pool),
        of_jobs as materialized (
            select s.job_name, count(*) as running from shardkeeper.shard_run s
             where s.status = 'RUNNING' and s.limited group by s.job_name)
        select coalesce(array_agg(h.name), '{}')
          from (select j.name, j.version from shardkeeper.pool p
                  left join in_pools i on i.pool = p.name
                  join shardkeeper.job_spec j on j.pool = p.name
                 where coalesce(i.running, 0) >= p.size
                union
                select j.name, j.version from of_jobs o join shardkeeper.job_spec j on j.name = o.job_name
                 where o.running >= j.max_running
                union
                select j.name, j.version from shardkeeper.limit_state t
                  join shardkeeper.job_spec j on j.name = t.name
                 where t.kind = 'job' and t.tat > v_now and j.rate_limit is not null
                   and shardkeeper.rate_room(t.tat, j.rate_limit, j.rate_period, v_now) < 1) h
         where not exists (select from shardkeeper.spec_problem p where p.version = h.version and not p.of_impl));
end
$$;

-- The same for values of concurrency_key: each as its job, the character 1F, and itself.
create function shardkeeper.held_values() returns text[]
    language plpgsql stable as $$
begin
    return (
        select coalesce(array_agg(u.job_name || e'\x1f' || u.concurrency_value), '{}')
          from (select s.job_name, s.concurrency_value, count(*) as running from shardkeeper.shard_run s
                 where s.status = 'RUNNING' and s.limited and s.concurrency_value is not null group by 1, 2) u
          join shardkeeper.job_spec j on j.name = u.job_name
         where j.concurrency_key is not null and u.running >= j.max_running_per_key
           and not exists (select from shardkeeper.spec_problem p where p.version = j.version and not p.of_impl));
end
$$;

-- Of attempts that a node is about to be shown, those that it need not see, by their places: so many more than may
-- start now that asking for them would be in vain. A few more are shown than fit, as each node is to find its own.
create function shardkeeper.beyond_limits(p_jobs text[], p_values text[]) returns integer[]
    language plpgsql stable as $$
declare
    v_limits  shardkeeper.job_limit[] := shardkeeper.limits_of(p_jobs);
    v_fitting integer[];
begin
    if v_limits is null then
        return '{}';
    end if;
    v_fitting := shardkeeper.fitting(v_limits, p_jobs, p_values, 16);
    return (
        select coalesce(array_agg(c.place::integer), '{}')
          from unnest(p_jobs) with ordinality c (job_name, place)
          join unnest(v_limits) l on l.job_name = c.job_name
         where not exists (select from unnest(v_fitting) f where f = c.place));
end
$$;
