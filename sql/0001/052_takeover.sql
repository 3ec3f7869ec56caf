-- Taking over from an incarnation whose beat stood still for a whole lease (docs/architecture.md, rules 6, 7).

-- Turns what RUNNING attempts of a dead incarnation there are into LOST; the next attempts become PENDING where policy
-- lets them, else their items close.
create function shardkeeper.lose_attempts(p_dead text, out lost integer, out reissued integer)
    language plpgsql as $$
declare
    v_runs   bigint[];
    v_fires  timestamptz[];
    v_ended  bigint[];
    v_at     timestamptz[];
begin
    lost := 0;
    reissued := 0;
    select array_agg(distinct s.run_id), array_agg(distinct s.fire_time) into v_runs, v_fires
      from shardkeeper.shard_run s where s.incarnation = p_dead and s.status = 'RUNNING';
    if v_runs is null then
        return;
    end if;
    perform shardkeeper.lock_runs(v_runs, v_fires);

    with held as materialized (
        select s.*, coalesce(v.failover, true) and s.pinned_node is null and not r.stop_requested
                    and s.takeovers < coalesce(v.max_takeovers, 3) as again
          from shardkeeper.shard_run s
          join shardkeeper.job_run r on r.id = s.run_id and r.fire_time = s.fire_time
          left join shardkeeper.job_version v on v.version = r.job_version
         where s.incarnation = p_dead and s.status = 'RUNNING' and s.run_id = any (v_runs)
         order by s.run_id, s.item, s.attempt for update of s),
    ended as (
        update shardkeeper.shard_run s
           set status = 'LOST', finished_at = clock_timestamp(), error_type = 'Lost',
               error_message = format('node %s (incarnation %s) stopped beating', s.node_id, s.incarnation)
          from held h
         where s.run_id = h.run_id and s.fire_time = h.fire_time and s.item = h.item and s.attempt = h.attempt
        returning s.run_id, s.fire_time, s.item, s.attempt),
    -- from `ended`, so that the lost attempt is no longer the live one when its successor is inserted
    next as (
        insert into shardkeeper.shard_run (run_id, fire_time, item, attempt, job_name, claim_key,
                                           concurrency_value, compensates, tries, takeovers, checkpoint)
        select h.run_id, h.fire_time, h.item, h.attempt + 1, h.job_name, h.claim_key, h.concurrency_value,
               h.compensates, h.tries, h.takeovers + 1, h.checkpoint
          from ended e join held h on h.run_id = e.run_id and h.fire_time = e.fire_time and h.item = e.item
                                  and h.attempt = e.attempt
         where h.again)
    select count(*), count(*) filter (where h.again), array_agg(h.run_id) filter (where not h.again),
           array_agg(h.fire_time) filter (where not h.again)
      into lost, reissued, v_ended, v_at from held h;
    if v_ended is not null then
        perform shardkeeper.settle_items(v_ended, v_at);
    end if;
end
$$;

-- The port's take_over. The lease is locked FOR UPDATE: creations and claims under it that are under way are waited for,
-- and whatever comes later finds it dead; so what is RUNNING then is all there will ever be.
create function shardkeeper.take_over(
    p_taker text, p_dead text, p_beat bigint, out taken boolean, out lost integer, out reissued integer)
    language plpgsql as $$
declare
    v_lease shardkeeper.lease;
    v_more  record;
begin
    taken := false;
    lost := 0;
    reissued := 0;
    select * into v_lease from shardkeeper.lease l where l.incarnation = p_dead for update;
    if v_lease.incarnation is null or v_lease.beat <> p_beat then
        return;
    end if;
    update shardkeeper.lease l set state = 'dead', dead_at = clock_timestamp(), dead_by = p_taker
     where l.incarnation = p_dead and l.state <> 'dead';
    loop
        v_more := shardkeeper.lose_attempts(p_dead);
        lost := lost + v_more.lost;
        reissued := reissued + v_more.reissued;
        exit when v_more.lost = 0;
    end loop;
    taken := v_lease.state <> 'dead' or lost > 0;
end
$$;
