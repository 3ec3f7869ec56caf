-- Submitting one by one (docs/architecture.md, rule 4). The hot path: versions are looked up once, each row is inserted by
-- one statement, and what is refused is put into words by functions of its own.

-- When nodes were told of work last, in milliseconds since 1970. A sequence, so that no lock is waited for and no
-- transaction's end awaited; what it says may be lost or overwritten, like the notification itself.
create sequence shardkeeper.work_told as bigint minvalue 0 start 0;

-- Whether they were told within the last 20 ms. By the function that looks at the sequence, where a query of it would cost
-- as much as an insert.
create function shardkeeper.told_lately() returns boolean
    language sql volatile
    return coalesce((extract(epoch from clock_timestamp()) * 1000)::bigint
                    - pg_sequence_last_value('shardkeeper.work_told') between 0 and 19, false);

-- Tells nodes of new work: of submissions that commit at once, at most every 20 ms, as a node that was told looks again
-- shortly after. Within a longer transaction always, since its end may be far from now; the payload is the same each
-- time, so that PostgreSQL sends it once.
create function shardkeeper.tell_work(p_at_once boolean) returns void
    language plpgsql as $$
begin
    if p_at_once then
        if shardkeeper.told_lately() then
            return;
        end if;
        perform setval('shardkeeper.work_told', (extract(epoch from clock_timestamp()) * 1000)::bigint);
    end if;
    perform pg_notify('shardkeeper', '{"kind": "work"}');
end
$$;

-- Whether the statement that is running is (nearly) all of its transaction, so that what it does is committed at once. The
-- messages that bind and execute one statement come some microseconds apart, those of several statements further.
create function shardkeeper.commits_at_once() returns boolean
    language sql volatile
    return pg_current_xact_id_if_assigned() is null and statement_timestamp() - now() < interval '1 millisecond';

-- What is wrong with parameters, and what mends it; null: the job takes them. `p_defaults`: those of ImplSpec and job.
create function shardkeeper.parameters_problem(
    p_job text, p_schema jsonb, p_limit integer, p_defaults jsonb, p_parameters jsonb) returns text
    language plpgsql immutable as $$
declare
    v_problem text;
begin
    if jsonb_typeof(p_parameters) is distinct from 'object' then
        return 'the parameters are not a JSON object: write {"name": value}';
    elsif octet_length(p_parameters::text) > p_limit then
        return format('the parameters are %s bytes of JSON, and %s takes %s: put the data elsewhere and name the place',
                      octet_length(p_parameters::text), p_job, p_limit);
    elsif p_schema is not null then
        v_problem := shardkeeper.json_schema_error(p_schema, p_defaults || p_parameters);
        if v_problem is not null then
            return format('%s does not take these parameters: %s: its parameters_schema says what it takes',
                          p_job, v_problem);
        end if;
    end if;
    return null;
end
$$;

-- What is wrong with the rest of a submission; null: nothing.
create function shardkeeper.submission_problem(p_key text, p_priority smallint, p_at timestamptz) returns text
    language plpgsql immutable as $$
begin
    return case
        when p_priority not between -100 and 100 then
            format('the priority %s is not one of -100 to 100: give one of them', p_priority)
        when length(p_key) not between 1 and 200 then
            'the idempotency key is not 1 to 200 characters long: shorten it'
        when not isfinite(p_at) or p_at < '1970-01-01 00:00:00+00' or p_at >= '9999-12-31 00:00:00+00' then
            'the instant at which it is to start is not in the years 1970 to 9999: give another one'
    end;
end
$$;

-- The parameters of ImplSpec and job, over which those of a run go.
create function shardkeeper.default_parameters(p_spec jsonb, p_impl_version bigint) returns jsonb
    language sql stable
    return coalesce((select i.impl -> 'parameters' from shardkeeper.impl_version i where i.version = p_impl_version), '{}')
           || coalesce(p_spec -> 'parameters', '{}');

-- Refuses what a job does not take, before a run is ordered.
create function shardkeeper.check_parameters(p_spec shardkeeper.job_version, p_impl_version bigint, p_parameters jsonb)
    returns void
    language plpgsql as $$
declare
    v_problem text := shardkeeper.parameters_problem(
        p_spec.job_name, p_spec.parameters_schema, p_spec.parameters_limit,
        shardkeeper.default_parameters(p_spec.spec, p_impl_version), p_parameters);
begin
    if v_problem is not null then
        raise exception using errcode = 'SKREF', message = v_problem;
    end if;
end
$$;

-- Retention let go of a key between the two looks at it: the same call, made again, succeeds.
create function shardkeeper.key_is_gone() returns void
    language plpgsql as $$
begin
    raise exception using errcode = 'serialization_failure', message = 'an idempotency key has just expired: try again';
end
$$;

-- The attempts of a submission of several items, or of one pinned to nodes.
create function shardkeeper.insert_items(
    p_run bigint, p_fire timestamptz, p_job text, p_total integer, p_nodes text[], p_from timestamptz,
    p_claim_key timestamptz, p_value text) returns void
    language sql as $$
    insert into shardkeeper.shard_run (run_id, fire_time, item, attempt, job_name, not_before, pinned_node, claim_key,
                                       concurrency_value)
    select p_run, p_fire, i.item, 1, p_job, p_from, p_nodes[i.item + 1],
           case when p_nodes is null then p_claim_key end, p_value
      from generate_series(0, p_total - 1) i (item)
$$;

-- Versions are looked up here without job_version_at, which gives (and costs) every column, where nothing is wrong with
-- them.
create function shardkeeper.submit(
    job text, parameters jsonb default '{}', key text default null, priority smallint default 0,
    at timestamptz default null) returns bigint
    language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_at_once boolean := shardkeeper.commits_at_once();
    v_now     timestamptz := clock_timestamp();
    v_fire    timestamptz := coalesce(at, v_now);
    v_from    timestamptz := greatest(at, v_now);
    v_run     bigint := nextval('shardkeeper.run_id');
    v_spec    record;
    v_rank    smallint;
    v_known   bigint;
    v_total   integer;
    v_nodes   text[];
    v_value   text;
    v_problem text;
begin
    select v.version, v.enabled, v.sharding_total_count, v.sharding_strategy, v.node_selector, v.priority,
           v.concurrency_key, v.parameters_schema, v.parameters_limit, v.spec, i.version as impl_version, i.impl,
           exists (select from shardkeeper.spec_problem p where p.version in (v.version, i.version)) as unsound
      into v_spec
      from shardkeeper.job_version v
      left join lateral (
           select w.version, w.impl from shardkeeper.impl_version w
            where w.impl_name = v.impl_spec and w.in_force_from <= v_now
            order by w.in_force_from desc limit 1) i on true
     where v.job_name = job and v.in_force_from <= v_now
     order by v.in_force_from desc limit 1;
    if v_spec.unsound then
        -- the last sound ones hold: apart, as looking past the others costs every submission more
        select v.version, v.enabled, v.sharding_total_count, v.sharding_strategy, v.node_selector, v.priority,
               v.concurrency_key, v.parameters_schema, v.parameters_limit, v.spec, i.version as impl_version, i.impl,
               true as unsound
          into v_spec
          from shardkeeper.job_version_at(job, v_now) v
          left join lateral shardkeeper.impl_version_at(v.impl_spec, v_now) i on true;
    end if;
    if v_spec.enabled is not true or v_spec.impl is null then
        perform shardkeeper.impl_for(shardkeeper.orderable(job));
    end if;
    v_total := v_spec.sharding_total_count;
    v_rank := coalesce(nullif(priority, 0), v_spec.priority);
    -- only what might be wrong is looked at closely, by functions that cost more than this
    if priority not between -100 and 100 or length(key) not between 1 and 200 or at is not null
       or v_spec.parameters_schema is not null
       or jsonb_typeof(parameters) is distinct from 'object'
       or octet_length(parameters::text) > v_spec.parameters_limit then
        v_problem := coalesce(
            shardkeeper.submission_problem(key, priority, at),
            shardkeeper.parameters_problem(
                job, v_spec.parameters_schema, v_spec.parameters_limit,
                case when v_spec.parameters_schema is not null
                     then coalesce(v_spec.impl -> 'parameters', '{}') || coalesce(v_spec.spec -> 'parameters', '{}')
                end, parameters));
        if v_problem is not null then
            raise exception using errcode = 'SKREF', message = v_problem;
        end if;
    end if;
    if key is not null then
        -- waits for whoever is inserting the same key
        insert into shardkeeper.idempotency_key (job_name, key, run_id, fire_time)
        values (job, submit.key, v_run, v_fire) on conflict do nothing;
        if not found then
            select k.run_id into v_known from shardkeeper.idempotency_key k
             where k.job_name = job and k.key = submit.key;
            if v_known is null then
                perform shardkeeper.key_is_gone();
            end if;
            return v_known;
        end if;
    end if;
    if v_spec.sharding_strategy = 'each_node' then
        v_nodes := shardkeeper.eligible_nodes(v_spec.node_selector);
        v_total := cardinality(v_nodes);
    end if;
    insert into shardkeeper.job_run (id, job_name, fire_time, trigger_kind, job_version, impl_version,
                                     sharding_total_count, parameters, priority, idempotency_key, requested_by,
                                     open_items, flow)
    values (v_run, job, v_fire, 'submit', v_spec.version, v_spec.impl_version, v_total, parameters, v_rank, key,
            shardkeeper.actor(), v_total, 'run:' || v_run);
    if v_spec.concurrency_key is not null then
        v_value := shardkeeper.concurrency_value(v_spec.concurrency_key, parameters, v_spec.version, v_spec.impl_version);
    end if;
    if v_total = 1 and v_nodes is null then
        -- planned once, where rows from a series would be planned each time
        insert into shardkeeper.shard_run (run_id, fire_time, item, attempt, job_name, not_before, claim_key,
                                           concurrency_value)
        values (v_run, v_fire, 0, 1, job, v_from, v_from - v_rank * interval '1 minute', v_value);
    else
        perform shardkeeper.insert_items(v_run, v_fire, job, v_total, v_nodes, v_from,
                                         v_from - v_rank * interval '1 minute', v_value);
    end if;
    -- asked here too, as calling the other for nothing costs more than asking
    if v_from <= v_now and not (v_at_once and shardkeeper.told_lately()) then
        perform shardkeeper.tell_work(v_at_once);
    end if;
    return v_run;
end
$$;
