-- Four roles: owner (migrates), node (the daemon), author (writes specs and orders), reader (looks).
--
-- Roles belong to the whole server. Where the migrating user may not create them, they are left out, a warning says so,
-- and `shardkeeper.grant_roles()` is called again once somebody has made them.

create function shardkeeper.make_roles() returns text[]
    language plpgsql
as $$
declare
    missing text[] := '{}';
    name    text;
begin
    foreach name in array array['shardkeeper_owner', 'shardkeeper_node', 'shardkeeper_author', 'shardkeeper_reader'] loop
        if not exists (select from pg_catalog.pg_roles r where r.rolname = name) then
            begin
                execute format('create role %I nologin', name);
            exception
                -- another database of this server may be at the same thing
                when duplicate_object or unique_violation then null;
                when insufficient_privilege then missing := missing || name;
            end;
        end if;
    end loop;
    return missing;
end
$$;

-- Grants each role that exists what it needs, and nothing else. Returns the roles that do not exist.
create function shardkeeper.grant_roles() returns text[]
    language plpgsql
as $$
declare
    missing text[] := '{}';
    found   text[];
    name    text;
begin
    foreach name in array array['shardkeeper_owner', 'shardkeeper_node', 'shardkeeper_author', 'shardkeeper_reader'] loop
        if exists (select from pg_catalog.pg_roles r where r.rolname = name) then
            found := found || name;
        else
            missing := missing || name;
        end if;
    end loop;
    revoke all on all tables in schema shardkeeper from public;
    revoke all on all functions in schema shardkeeper from public;
    revoke all on schema shardkeeper from public;
    foreach name in array coalesce(found, '{}') loop
        execute format('grant usage on schema shardkeeper to %I', name);
    end loop;
    if 'shardkeeper_owner' = any (found) then
        grant create on schema shardkeeper to shardkeeper_owner;
        grant all on all tables in schema shardkeeper to shardkeeper_owner;
        grant all on all sequences in schema shardkeeper to shardkeeper_owner;
        grant all on all functions in schema shardkeeper to shardkeeper_owner;
    end if;
    if 'shardkeeper_node' = any (found) then
        -- specs are read, never written, by nodes
        grant select on all tables in schema shardkeeper to shardkeeper_node;
        grant insert, update, delete on
            shardkeeper.spec_problem, shardkeeper.node_decline, shardkeeper.job_run, shardkeeper.shard_run,
            shardkeeper.calculate_value, shardkeeper.live_run, shardkeeper.limit_state, shardkeeper.job_state,
            shardkeeper.idempotency_key, shardkeeper.follow_gate,
            shardkeeper.lease, shardkeeper.duty, shardkeeper.sweep_state, shardkeeper.house_state,
            shardkeeper.mirrored_view, shardkeeper.alert to shardkeeper_node;
        grant usage on sequence shardkeeper.run_id to shardkeeper_node;
        grant select, update on sequence shardkeeper.work_told to shardkeeper_node;
        grant execute on all functions in schema shardkeeper to shardkeeper_node;
        revoke execute on function shardkeeper.make_roles(), shardkeeper.grant_roles() from shardkeeper_node;
    end if;
    if 'shardkeeper_author' = any (found) then
        grant select on all tables in schema shardkeeper to shardkeeper_author;
        grant insert, update, delete on
            shardkeeper.impl_spec, shardkeeper.source_data, shardkeeper.pool, shardkeeper.job_spec
            to shardkeeper_author;
        grant insert on shardkeeper.submission to shardkeeper_author;
        grant execute on function
            shardkeeper.trigger_job(text, jsonb), shardkeeper.order_run(text, jsonb, integer, timestamptz),
            shardkeeper.submit(text, jsonb, text, smallint, timestamptz),
            shardkeeper.submit_many(text, jsonb[], text[], smallint, timestamptz),
            shardkeeper.json_schema_holds(jsonb), shardkeeper.json_schema_problem(jsonb),
            shardkeeper.json_schema_error(jsonb, jsonb),
            shardkeeper.backfill_past(text, timestamptz, timestamptz), shardkeeper.backfill_runs(text, jsonb),
            shardkeeper.rerun_run(bigint, jsonb, boolean),
            shardkeeper.stop_run(bigint), shardkeeper.pause_job(text, text, timestamptz), shardkeeper.resume_job(text),
            shardkeeper.order_drain(text, boolean), shardkeeper.order_workers(text, integer) to shardkeeper_author;
    end if;
    if 'shardkeeper_reader' = any (found) then
        grant select on all tables in schema shardkeeper to shardkeeper_reader;
    end if;
    -- views run what they are made of as whoever looks
    foreach name in array array['shardkeeper_author', 'shardkeeper_reader'] loop
        if name = any (found) then
            execute format('grant execute on function shardkeeper.run_name(text, timestamptz), '
                           'shardkeeper.instant_text(timestamptz) to %I', name);
        end if;
    end loop;
    return missing;
end
$$;

do $$
declare
    missing text[];
begin
    perform shardkeeper.make_roles();
    missing := shardkeeper.grant_roles();
    if cardinality(missing) > 0 then
        raise warning 'may not create the roles %: create them as a superuser, then run select shardkeeper.grant_roles()',
            array_to_string(missing, ', ');
    end if;
end
$$;
