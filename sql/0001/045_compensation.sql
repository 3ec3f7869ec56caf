-- Rolling back: what a run that failed for good has done outside is undone by one more attempt of each item that had begun
-- (docs/architecture.md, rule 5). Those attempts are claimed, tried again and taken over as all others are.

-- Gives every item of these runs that had begun `calculate`, with a task that has a `compensate`, an attempt that
-- compensates. The caller has locked the runs and counted the items.
create function shardkeeper.begin_undoing(p_runs bigint[], p_fires timestamptz[]) returns void
    language plpgsql
    set enable_seqscan = off set enable_nestloop = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
declare
    v_now  timestamptz := clock_timestamp();
    v_from timestamptz;
    v_to   timestamptz;
begin
    select min(f), max(f) into v_from, v_to from unnest(p_fires) f;
    insert into shardkeeper.shard_run (run_id, fire_time, item, attempt, job_name, pinned_node, not_before, claim_key,
                                       concurrency_value, checkpoint, compensates)
    select l.run_id, l.fire_time, l.item, l.attempt + 1, l.job_name, l.pinned_node, v_now,
           case when l.claim_key is not null then v_now - r.priority * interval '1 minute' end,
           l.concurrency_value, l.checkpoint, true
      from (select distinct on (s.run_id, s.item) s.*, bool_or(s.compensable) over w as begun
              from shardkeeper.shard_run s
             where s.run_id = any (p_runs) and s.fire_time between v_from and v_to
            window w as (partition by s.run_id, s.item order by s.attempt desc
                         rows between unbounded preceding and unbounded following)
             order by s.run_id, s.item, s.attempt desc) l
      join shardkeeper.job_run r on r.id = l.run_id and r.fire_time = l.fire_time
     where l.begun and r.id = any (p_runs) and r.fire_time between v_from and v_to;
    perform shardkeeper.tell_work(true);
end
$$;

-- The reason of a run that is closed now, after its rolling back: it names the items of which that failed.
create function shardkeeper.reason_after_undoing(p_run shardkeeper.job_run) returns text
    language sql stable as $$
    select nullif(concat_ws('; ', p_run.reason,
                            'could not roll back ' || case when count(*) = 1 then 'item ' else 'items ' end
                            || string_agg(l.item::text, ', ' order by l.item)), '')
      from (select distinct on (s.item) s.item, s.status from shardkeeper.shard_run s
             where s.run_id = p_run.id and s.fire_time = p_run.fire_time and s.compensates
             order by s.item, s.attempt desc) l
     where l.status <> 'COMPLETED'
$$;
