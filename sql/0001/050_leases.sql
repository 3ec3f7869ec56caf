-- Leases: joining, beating, draining, leaving, and the duties that hang on them (docs/architecture.md, rules 7, 13, 14).

create function shardkeeper.lease_json(l shardkeeper.lease) returns jsonb
    language sql stable
    return jsonb_build_object('node_id', l.node_id, 'incarnation', l.incarnation, 'beat', l.beat, 'state', l.state,
                              'labels', l.labels);

-- The port's join: {joined, predecessor, now}. The partial unique index decides between two that join at once.
create function shardkeeper.join_cluster(
    p_node text, p_incarnation text, p_host text, p_pid integer, p_weight double precision, p_labels jsonb,
    p_version text) returns jsonb language plpgsql as $$
declare
    v_own    shardkeeper.lease;
    v_before shardkeeper.lease;
begin
    insert into shardkeeper.lease (incarnation, node_id, host, pid, weight, labels, version)
    values (p_incarnation, p_node, p_host, p_pid, p_weight, p_labels, p_version)
    on conflict do nothing;
    select * into v_own from shardkeeper.lease l where l.incarnation = p_incarnation;
    if v_own.incarnation is null then
        select * into v_before from shardkeeper.lease l where l.node_id = p_node and l.state <> 'dead';
    end if;
    return jsonb_build_object(
        'joined', coalesce(v_own.state <> 'dead', false),
        'predecessor', case when v_before.incarnation is not null then shardkeeper.lease_json(v_before) end,
        'now', shardkeeper.instant_text(clock_timestamp()));
end
$$;

-- The port's beat, in one round trip. It locks the own lease row for an instant, FOR NO KEY UPDATE: only somebody who
-- takes this very lease over can make it wait.
create function shardkeeper.beat(p_incarnation text) returns jsonb
    language plpgsql as $$
declare
    v_node text;
begin
    update shardkeeper.lease l set beat = l.beat + 1, beaten_at = clock_timestamp()
     where l.incarnation = p_incarnation and l.state <> 'dead' returning l.node_id into v_node;
    return jsonb_build_object(
        'alive', v_node is not null,
        'leases', coalesce((
            select jsonb_agg(shardkeeper.lease_json(l) order by l.node_id)
              from (select distinct on (l.node_id) l.* from shardkeeper.lease l
                     order by l.node_id, l.state = 'dead', l.joined_at desc) l), '[]'),
        'held', coalesce((
            select jsonb_agg(jsonb_build_object(
                       'run_id', s.run_id, 'fire_time', shardkeeper.instant_text(s.fire_time), 'item', s.item,
                       'attempt', s.attempt, 'claim_no', s.claim_no, 'job_name', s.job_name,
                       'stop_requested', r.stop_requested) order by s.run_id, s.item)
              from shardkeeper.shard_run s
              join shardkeeper.job_run r on r.id = s.run_id and r.fire_time = s.fire_time
             where s.incarnation = p_incarnation and s.status = 'RUNNING'), '[]'),
        'drain', coalesce((select o.drain from shardkeeper.node_order o where o.node_id = v_node), false),
        'workers', (select o.workers from shardkeeper.node_order o where o.node_id = v_node),
        'mirrored', (select m.view from shardkeeper.mirrored_view m),
        'now', shardkeeper.instant_text(clock_timestamp()));
end
$$;

create function shardkeeper.drain_lease(p_incarnation text, p_draining boolean) returns boolean
    language plpgsql as $$
begin
    update shardkeeper.lease l set state = case when p_draining then 'draining' else 'active' end
     where l.incarnation = p_incarnation and l.state <> 'dead';
    return found;
end
$$;

-- FOR UPDATE, so that no creation or claim under this lease is under way while it looks for what is RUNNING.
create function shardkeeper.leave_cluster(p_incarnation text) returns boolean
    language plpgsql as $$
begin
    perform 1 from shardkeeper.lease l where l.incarnation = p_incarnation for update;
    if not found or exists (select from shardkeeper.shard_run s
                             where s.incarnation = p_incarnation and s.status = 'RUNNING') then
        return false;
    end if;
    update shardkeeper.lease l set state = 'dead', dead_at = clock_timestamp(), dead_by = p_incarnation
     where l.incarnation = p_incarnation and l.state <> 'dead';
    return true;
end
$$;

create function shardkeeper.mirror_view(p_lineage text, p_epoch bigint, p_view jsonb) returns boolean
    language plpgsql as $$
begin
    insert into shardkeeper.mirrored_view as m (lineage, epoch, view) values (p_lineage, p_epoch, p_view)
    on conflict (single) do update set lineage = excluded.lineage, epoch = excluded.epoch, view = excluded.view,
                                       mirrored_at = clock_timestamp()
     where m.lineage <> excluded.lineage or m.epoch < excluded.epoch;
    return found;
end
$$;

-- Takes or renews a duty for an incarnation that is not dead; false: another one's, whose lease lives and whose time is
-- not up.
create function shardkeeper.hold_duty(p_name text, p_incarnation text, p_hold interval) returns boolean
    language plpgsql as $$
begin
    if shardkeeper.lock_own_lease(p_incarnation, array['active', 'draining']) is null then
        return false;
    end if;
    insert into shardkeeper.duty as d (name, incarnation, held_until)
    values (p_name, p_incarnation, clock_timestamp() + p_hold)
    on conflict (name) do update
        set incarnation = excluded.incarnation, held_until = excluded.held_until, renewed_at = clock_timestamp()
     where d.incarnation = excluded.incarnation or d.held_until < clock_timestamp()
        or not exists (select from shardkeeper.lease l where l.incarnation = d.incarnation and l.state <> 'dead');
    return found;
end
$$;
