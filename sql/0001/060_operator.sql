-- What people order. The five functions of the contract, and those behind them that the faces call, which take more.
--
-- All run as their owner, so that a spec author needs no right on the tables of runs. What they refuse has SQLSTATE SKREF,
-- says what was given, and what mends it. They never hold the lock of the versions.

create function shardkeeper.refuse(problem text, mend text) returns void
    language plpgsql
as $$
begin
    raise exception using errcode = 'SKREF', message = problem || ': ' || mend;
end
$$;

create function shardkeeper.note_order(what text, subject text, detail jsonb default null) returns void
    language sql
begin atomic
    insert into shardkeeper.audit_log (who, what, subject, detail) values (shardkeeper.actor(), what, subject, detail);
end;

-- The version under which something ordered now runs.
create function shardkeeper.orderable(job text) returns shardkeeper.job_version
    language plpgsql stable
as $$
declare
    found shardkeeper.job_version;
begin
    select v.* into found from shardkeeper.job_version_at(job, clock_timestamp()) v;
    if found.enabled is null then
        perform shardkeeper.refuse(format('there is no job %s', left(quote_literal(job), 120)),
                                   '`shardkeeper jobs` lists them; one just inserted has to be committed first');
    elsif not found.enabled then
        perform shardkeeper.refuse(format('%s is disabled', job), 'enable it first');
    end if;
    return found;
end
$$;

-- The nodes that each get an item of an each_node job: active, with the labels it wants.
create function shardkeeper.eligible_nodes(selector jsonb) returns text[]
    language plpgsql stable
as $$
declare
    nodes text[];
begin
    select array_agg(l.node_id order by l.node_id collate "C") into nodes from shardkeeper.lease l
    where l.state = 'active' and l.labels @> selector;
    if nodes is null then
        perform shardkeeper.refuse('no node is eligible now', 'start one that has the labels of node_selector');
    end if;
    return nodes;
end
$$;

-- Whether the attempts of a run had no owner; null: there is no such run.
create function shardkeeper.was_pulled(run_id bigint) returns boolean
    language sql stable
    return (select s.claim_key is not null from shardkeeper.shard_run s where s.run_id = was_pulled.run_id limit 1);

-- Inserts a run that nobody's clock brought about, with the first attempts of its items, all PENDING. `items` null: all
-- of them. Such runs neither take nor await the job's live_run row.
create function shardkeeper.insert_ordered_run(
    run_id bigint, kind text, spec shardkeeper.job_version, impl bigint, fire timestamptz, claimable_from timestamptz,
    parameters jsonb, priority smallint, only_item integer, key text, rerun_of bigint) returns integer
    language plpgsql
as $$
declare
    total integer := spec.sharding_total_count;
    nodes text[];
begin
    if jsonb_typeof(parameters) is distinct from 'object' or octet_length(parameters::text) > 1000000 then
        perform shardkeeper.refuse('the parameters are not a JSON object of at most 1 MB', 'write {"name": value}');
    end if;
    if fire is null or not isfinite(fire) or fire < '1970-01-01 00:00:00+00' or fire >= '9999-12-31 00:00:00+00' then
        perform shardkeeper.refuse('the fire time is not in the years 1970 to 9999', 'give another instant');
    end if;
    if spec.sharding_strategy = 'each_node' then
        nodes := shardkeeper.eligible_nodes(spec.node_selector);
        total := cardinality(nodes);
    end if;
    if only_item is not null and (only_item < 0 or only_item >= total) then
        perform shardkeeper.refuse(format('%s has no item %s', spec.job_name, only_item),
                                   format('give one from 0 to %s', total - 1));
    end if;
    insert into shardkeeper.job_run (id, job_name, fire_time, trigger_kind, job_version, impl_version, sharding_total_count,
                                     parameters, priority, idempotency_key, rerun_of, requested_by, open_items)
    values (run_id, spec.job_name, fire, kind, spec.version, impl, total, parameters, priority, key, rerun_of,
            shardkeeper.actor(), case when only_item is null then total else 1 end);
    insert into shardkeeper.shard_run (run_id, fire_time, item, attempt, job_name, not_before, claim_key, pinned_node,
                                       concurrency_value)
    select run_id, fire, item, 1, spec.job_name, claimable_from,
           case when nodes is null and (kind = 'submit' or shardkeeper.was_pulled(rerun_of))
                then claimable_from - insert_ordered_run.priority * interval '1 minute' end,
           nodes[item + 1],
           case when spec.concurrency_key is not null
                then shardkeeper.concurrency_value(spec.concurrency_key, parameters, spec.version, impl) end
    from generate_series(coalesce(only_item, 0), coalesce(only_item, total - 1)) item;
    return total;
end
$$;

create function shardkeeper.impl_for(spec shardkeeper.job_version) returns bigint
    language plpgsql stable
as $$
declare
    found bigint;
begin
    select v.version into found from shardkeeper.impl_version_at(spec.impl_spec, clock_timestamp()) v
    where v.impl is not null;
    if found is null then
        perform shardkeeper.refuse(format('the ImplSpec %s of %s has no valid version', spec.impl_spec, spec.job_name),
                                   'mend it first');
    end if;
    return found;
end
$$;

create function shardkeeper.order_run(job text, parameters jsonb, item integer, fire_time timestamptz) returns bigint
    language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    spec   shardkeeper.job_version := shardkeeper.orderable(job);
    impl   bigint := shardkeeper.impl_for(spec);
    run_id bigint := nextval('shardkeeper.run_id');
    now    timestamptz := clock_timestamp();
begin
    perform shardkeeper.check_parameters(spec, impl, parameters);
    perform shardkeeper.insert_ordered_run(
        run_id, 'manual', spec, impl, coalesce(fire_time, now),
        greatest(fire_time, now), parameters, spec.priority, item, null, null);
    perform shardkeeper.note_order('trigger', job, jsonb_build_object('run_id', run_id));
    perform shardkeeper.tell('work', jsonb_build_object('jobs', jsonb_build_array(job)));
    return run_id;
end
$$;

create function shardkeeper.trigger_job(job text, parameters jsonb default '{}') returns bigint
    language sql security definer set search_path = pg_catalog, pg_temp
begin atomic
    select shardkeeper.order_run(job, parameters, null, null);
end;

-- A new run of an old one: its fire time, its flow, its parameters with `parameters` over them, and, while the number of
-- items is the same, the checkpoints of items that were neither COMPLETED nor rolled back.
create function shardkeeper.rerun_run(run_id bigint, parameters jsonb default '{}', same_version boolean default false)
    returns bigint
    language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    old     shardkeeper.job_run;
    spec    shardkeeper.job_version;
    impl    bigint;
    new_run bigint := nextval('shardkeeper.run_id');
    total   integer;
begin
    select r.* into old from shardkeeper.job_run r where r.id = rerun_run.run_id;
    if old.id is null then
        perform shardkeeper.refuse(format('there is no run %s', run_id), '`shardkeeper runs` lists them');
    elsif old.status in ('CREATED', 'RUNNING') then
        perform shardkeeper.refuse(format('run %s has not ended', run_id), 'stop it first');
    end if;
    if jsonb_typeof(parameters) is distinct from 'object' then
        perform shardkeeper.refuse('the parameters are not a JSON object', 'write {"name": value}');
    end if;
    spec := shardkeeper.orderable(old.job_name);
    if same_version then
        select v.* into spec from shardkeeper.job_version v where v.version = old.job_version;
        impl := old.impl_version;
    end if;
    impl := coalesce(impl, shardkeeper.impl_for(spec));
    if parameters <> '{}' then
        perform shardkeeper.check_parameters(spec, impl, old.parameters || parameters);
    end if;
    total := shardkeeper.insert_ordered_run(
        -- of one that was stopped before its time, no sooner
        new_run, 'rerun', spec, impl, old.fire_time, greatest(old.fire_time, clock_timestamp()),
        old.parameters || parameters, old.priority, null, null, old.id);
    update shardkeeper.job_run r set flow = shardkeeper.flow_of(old) where r.id = new_run and r.fire_time = old.fire_time;
    if total = old.sharding_total_count then
        update shardkeeper.shard_run s set checkpoint = last.checkpoint
        from (select distinct on (o.item) o.item, o.status, o.checkpoint from shardkeeper.shard_run o
              where o.run_id = old.id and o.fire_time = old.fire_time and not o.compensates
              order by o.item, o.attempt desc) last
        where s.run_id = new_run and s.fire_time = old.fire_time and s.item = last.item
              and last.status <> 'COMPLETED' and last.checkpoint is not null
              -- what is rolled back begins anew
              and not exists (select from shardkeeper.shard_run o
                              where o.run_id = old.id and o.fire_time = old.fire_time and o.item = last.item
                                    and o.compensates and o.status = 'COMPLETED');
    end if;
    perform shardkeeper.note_order('rerun', old.job_name, jsonb_build_object('run_id', new_run, 'rerun_of', old.id));
    perform shardkeeper.tell('work', jsonb_build_object('jobs', jsonb_build_array(old.job_name)));
    return new_run;
end
$$;

-- False: there is no such run, or it had ended.
create function shardkeeper.stop_run(run_id bigint) returns boolean
    language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    run shardkeeper.job_run;
begin
    select r.* into run from shardkeeper.job_run r where r.id = stop_run.run_id;
    if run.id is null or run.status not in ('CREATED', 'RUNNING') then
        return false;
    end if;
    perform shardkeeper.close_pending(array[run.id], array[run.fire_time], 'STOPPED', 'stopped by ' || shardkeeper.actor());
    -- it may have ended while we waited for it
    if not exists (select from shardkeeper.job_run r
                   where r.id = run.id and r.fire_time = run.fire_time and r.stop_requested) then
        return false;
    end if;
    perform shardkeeper.note_order('stop', run.job_name, jsonb_build_object('run_id', run.id));
    perform shardkeeper.tell('orders');
    return true;
end
$$;

-- A pause that stands is replaced by the new one.
create function shardkeeper.pause_job(job text, reason text default null, until timestamptz default null) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    if not exists (select from shardkeeper.job_spec j where j.name = job) then
        perform shardkeeper.refuse(format('there is no job %s', left(quote_literal(job), 120)),
                                   '`shardkeeper jobs` lists them');
    elsif until <= clock_timestamp() then
        perform shardkeeper.refuse('the pause would end in the past', 'give a later instant, or none');
    end if;
    perform shardkeeper.end_pauses(job);
    insert into shardkeeper.pause (job_name, reason, until, requested_by) values (job, reason, until, shardkeeper.actor());
    perform shardkeeper.note_order('pause', job, jsonb_build_object('reason', reason, 'until', until));
end
$$;

create function shardkeeper.end_pauses(job text) returns boolean
    language plpgsql
as $$
begin
    update shardkeeper.pause p set resumed_at = clock_timestamp()
    where p.job_name = job and p.resumed_at is null and (p.until is null or p.until > clock_timestamp());
    return found;
end
$$;

-- False: it was not paused.
create function shardkeeper.resume_job(job text) returns boolean
    language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    if not shardkeeper.end_pauses(job) then
        return false;
    end if;
    perform shardkeeper.note_order('resume', job);
    return true;
end
$$;

create function shardkeeper.order_drain(node text, draining boolean) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    insert into shardkeeper.node_order (node_id, drain, ordered_by) values (node, draining, shardkeeper.actor())
    on conflict (node_id) do update
        set drain = excluded.drain, ordered_by = excluded.ordered_by, ordered_at = clock_timestamp();
    perform shardkeeper.note_order(case when draining then 'drain' else 'undrain' end, node);
    perform shardkeeper.tell('orders');
end
$$;

create function shardkeeper.order_workers(node text, workers integer) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    insert into shardkeeper.node_order (node_id, workers, ordered_by) values (node, workers, shardkeeper.actor())
    on conflict (node_id) do update
        set workers = excluded.workers, ordered_by = excluded.ordered_by, ordered_at = clock_timestamp();
    perform shardkeeper.note_order('workers', node, to_jsonb(workers));
    perform shardkeeper.tell('orders');
end
$$;
