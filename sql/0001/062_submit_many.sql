-- Submitting many at once: by a call for one job, or by INSERT and COPY into `submission` for any of them. Set-based: what
-- it costs goes with the rows, not with calls.

-- What submissions of one job have in common.
create type shardkeeper.submission_terms as (
    job_name          text,
    version           bigint,
    impl_version      bigint,
    total             integer,
    nodes             text[],
    priority          smallint,
    concurrency_key   text,
    parameters_schema jsonb,
    parameters_limit  integer,
    -- the parameters of ImplSpec and job
    defaults          jsonb
);

-- Refuses the whole statement because of one of its rows.
create function shardkeeper.refuse_row(p_row integer, p_problem text) returns void
    language plpgsql as $$
begin
    raise exception using errcode = 'SKREF', message = format('submission %s: %s', p_row, p_problem);
end
$$;

-- The terms of each job named; `p_rows`: the first row that names it, for whoever is refused.
create function shardkeeper.terms_of(p_job text, p_row integer) returns shardkeeper.submission_terms
    language plpgsql as $$
declare
    v_spec  shardkeeper.job_version;
    v_impl  bigint;
    v_nodes text[];
begin
    v_spec := shardkeeper.orderable(p_job);
    v_impl := shardkeeper.impl_for(v_spec);
    if v_spec.sharding_strategy = 'each_node' then
        v_nodes := shardkeeper.eligible_nodes(v_spec.node_selector);
    end if;
    return row(p_job, v_spec.version, v_impl, coalesce(cardinality(v_nodes), v_spec.sharding_total_count), v_nodes,
               v_spec.priority, v_spec.concurrency_key, v_spec.parameters_schema,
               v_spec.parameters_limit,
               shardkeeper.default_parameters(v_spec.spec, v_impl))::shardkeeper.submission_terms;
exception when sqlstate 'SKREF' then
    perform shardkeeper.refuse_row(p_row, sqlerrm);
end
$$;

-- Of submissions, row by row, the ids of their runs: of those whose key was given before, the first run's. All or none.
create function shardkeeper.submit_rows(
    p_jobs text[], p_parameters jsonb[], p_keys text[], p_priorities smallint[], p_ats timestamptz[]) returns bigint[]
    language plpgsql as $$
declare
    v_now     timestamptz := clock_timestamp();
    v_at_once boolean := shardkeeper.commits_at_once();
    v_terms   shardkeeper.submission_terms[];
    v_bad     record;
    v_ids     bigint[];
begin
    select array_agg(shardkeeper.terms_of(j.job_name, j.place) order by j.place) into v_terms
      from (select g.job_name, min(g.place)::integer as place
              from unnest(p_jobs) with ordinality g (job_name, place) group by g.job_name) j;
    select g.place, p.problem into v_bad
      from unnest(p_jobs, p_parameters, p_keys, p_priorities, p_ats)
           with ordinality g (job_name, parameters, key, priority, at, place)
      join unnest(v_terms) t on t.job_name = g.job_name
     cross join lateral (select coalesce(
           shardkeeper.submission_problem(g.key, g.priority, g.at),
           shardkeeper.parameters_problem(t.job_name, t.parameters_schema, t.parameters_limit, t.defaults,
                                          g.parameters)) as problem offset 0) p
     where p.problem is not null order by g.place limit 1;
    if v_bad.problem is not null then
        perform shardkeeper.refuse_row(v_bad.place::integer, v_bad.problem);
    end if;

    v_ids := shardkeeper.ids_by_key(p_jobs, p_keys, p_ats, v_now);
    perform shardkeeper.insert_submissions(v_terms, p_jobs, p_parameters, p_keys, p_priorities, p_ats, v_ids, v_now);
    if exists (select from unnest(p_ats) a where a is null or a <= v_now) then
        perform shardkeeper.tell_work(v_at_once);
    end if;
    return (select array_agg(abs(i.id) order by i.place) from unnest(v_ids) with ordinality i (id, place));
end
$$;

-- An id for each row: of a run to be inserted, or, negative, of the one that bears the key already. Keys go in their
-- order, so that two who give the same ones wait for each other, but never in a circle.
create function shardkeeper.ids_by_key(p_jobs text[], p_keys text[], p_ats timestamptz[], p_now timestamptz)
    returns bigint[]
    language plpgsql as $$
declare
    v_ids bigint[];
    v_new bigint[];
begin
    v_ids := array(select nextval('shardkeeper.run_id') from generate_series(1, cardinality(p_jobs)));
    if num_nonnulls(variadic p_keys) = 0 then
        return v_ids;
    end if;
    with made as (
        insert into shardkeeper.idempotency_key (job_name, key, run_id, fire_time)
        select distinct on (g.job_name, g.key) g.job_name, g.key, g.id, coalesce(g.at, p_now)
          from unnest(p_jobs, p_keys, v_ids, p_ats) with ordinality g (job_name, key, id, at, place)
         where g.key is not null
         order by g.job_name, g.key, g.place
        on conflict do nothing
        returning run_id)
    select coalesce(array_agg(m.run_id), '{}') into v_new from made m;
    v_ids := (
        select array_agg(case when g.key is null or n.id is not null then g.id else -k.run_id end order by g.place)
          from unnest(p_jobs, p_keys, v_ids) with ordinality g (job_name, key, id, place)
          left join unnest(v_new) n (id) on n.id = g.id
          left join shardkeeper.idempotency_key k on k.job_name = g.job_name and k.key = g.key);
    if array_position(v_ids, null) is not null then
        perform shardkeeper.key_is_gone();
    end if;
    return v_ids;
end
$$;

create function shardkeeper.insert_submissions(
    p_terms shardkeeper.submission_terms[], p_jobs text[], p_parameters jsonb[], p_keys text[],
    p_priorities smallint[], p_ats timestamptz[], p_ids bigint[], p_now timestamptz) returns void
    language plpgsql as $$
declare
    v_actor text := shardkeeper.actor();
begin
    insert into shardkeeper.job_run (id, job_name, fire_time, trigger_kind, job_version, impl_version,
                                     sharding_total_count, parameters, priority, idempotency_key, requested_by,
                                     open_items, flow)
    select g.id, g.job_name, coalesce(g.at, p_now), 'submit', t.version, t.impl_version, t.total, g.parameters,
           coalesce(nullif(g.priority, 0), t.priority), g.key, v_actor, t.total, 'run:' || g.id
      from unnest(p_ids, p_jobs, p_parameters, p_keys, p_priorities, p_ats)
           g (id, job_name, parameters, key, priority, at)
      join unnest(p_terms) t on t.job_name = g.job_name
     where g.id > 0;
    insert into shardkeeper.shard_run (run_id, fire_time, item, attempt, job_name, not_before, pinned_node, claim_key,
                                       concurrency_value)
    select g.id, coalesce(g.at, p_now), i.item, 1, g.job_name, greatest(g.at, p_now), t.nodes[i.item + 1],
           case when t.nodes is null
                then greatest(g.at, p_now) - coalesce(nullif(g.priority, 0), t.priority) * interval '1 minute' end,
           case when t.concurrency_key is not null
                then shardkeeper.concurrency_value(t.concurrency_key, g.parameters, t.version, t.impl_version) end
      from unnest(p_ids, p_jobs, p_parameters, p_priorities, p_ats) g (id, job_name, parameters, priority, at)
      join unnest(p_terms) t on t.job_name = g.job_name
     cross join lateral generate_series(0, t.total - 1) i (item)
     where g.id > 0;
end
$$;

-- Ids in the order of `parameters`. `keys`: null, or one (or null) for each of them.
create function shardkeeper.submit_many(
    job text, parameters jsonb[], keys text[] default null, priority smallint default 0,
    at timestamptz default null) returns bigint[]
    language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_many integer := coalesce(cardinality(parameters), 0);
begin
    if keys is not null and cardinality(keys) <> v_many then
        perform shardkeeper.refuse(format('there are %s submissions and %s keys', v_many, cardinality(keys)),
                                   'give a key for each');
    end if;
    if v_many = 0 then
        perform shardkeeper.orderable(job);
        return '{}';
    end if;
    return shardkeeper.submit_rows(
        array_fill(job, array[v_many]), parameters, coalesce(keys, array_fill(null::text, array[v_many])),
        array_fill(priority, array[v_many]), array_fill(at, array[v_many]));
end
$$;

-- What is written here by INSERT or COPY is submitted, and not kept. A row that is refused refuses the statement.
create unlogged table shardkeeper.submission (
    job        text        not null,
    parameters jsonb       not null default '{}',
    key        text,
    priority   smallint    not null default 0,
    at         timestamptz
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);

create function shardkeeper.submit_written() returns trigger
    language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    v_jobs       text[];
    v_parameters jsonb[];
    v_keys       text[];
    v_priorities smallint[];
    v_ats        timestamptz[];
begin
    select array_agg(w.job), array_agg(w.parameters), array_agg(w.key), array_agg(w.priority), array_agg(w.at)
      into v_jobs, v_parameters, v_keys, v_priorities, v_ats from written w;
    if v_jobs is null then
        return null;
    end if;
    perform shardkeeper.submit_rows(v_jobs, v_parameters, v_keys, v_priorities, v_ats);
    -- all that can be seen here is this transaction's own
    delete from shardkeeper.submission;
    return null;
end
$$;
create trigger submitted after insert on shardkeeper.submission referencing new table as written
    for each statement execute function shardkeeper.submit_written();
