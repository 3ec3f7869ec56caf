-- Follow-ups: a job that is started by the end of others' runs (docs/architecture.md, rule 5).
--
-- Runs that belong together have one flow: the fire, or the order, that set the first of them in motion. A run that is
-- closed looks for who follows its job now. Whoever follows one job, or any failure, is started at once; whoever follows
-- several waits, in its row of follow_gate, until their runs of the flow have ended. That row's lock lets parents that
-- are closed at the same time see each other; it is the last lock a closing takes, rows in the order of their keys.

create function shardkeeper.flow_of(p_run shardkeeper.job_run) returns text
    language sql stable parallel safe
    return coalesce(p_run.flow, case when p_run.trigger_kind in ('schedule', 'misfire', 'backfill')
                                     then 'at:' || shardkeeper.instant_text(p_run.fire_time)
                                     else 'run:' || p_run.id end);

-- Whether the ends of the followed jobs' runs start the follower.
create function shardkeeper.gate_opens(p_follows jsonb, p_arrived jsonb) returns boolean
    language sql immutable parallel safe
    return p_arrived ?& array(select jsonb_array_elements_text(p_follows -> 'jobs'))
           and (coalesce(p_follows ->> 'on', 'completed') = 'ended'
                or not exists (select from jsonb_array_elements_text(p_follows -> 'jobs') j (name)
                                where p_arrived -> j.name ->> 'status' <> 'COMPLETED'));

-- What a follow-up is told of the runs it follows: `p_arrived` with their results and values. What would take more than
-- 1 MB is left out: the values first.
create function shardkeeper.follow_up_parameters(p_arrived jsonb) returns jsonb
    language plpgsql stable
    set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
    set plan_cache_mode = force_generic_plan as $$
declare
    v_told   jsonb := '{}';
    v_bare   jsonb := '{}';
    v_parent record;
    v_result jsonb;
    v_values jsonb;
    v_count  bigint;
    v_bytes  bigint;
begin
    for v_parent in
        select a.key as job, (a.value ->> 'run_id')::bigint as id, (a.value ->> 'fire_time')::timestamptz as fire,
               a.value ->> 'status' as status
          from jsonb_each(p_arrived) a order by a.key
    loop
        -- one by one: joined, a plan for all partitions would read all of them
        select r.result into v_result from shardkeeper.job_run r where r.id = v_parent.id and r.fire_time = v_parent.fire;
        -- by what is stored, lest gigabytes are read only to be left out
        select count(*), coalesce(sum(pg_column_size(c.value)), 0) into v_count, v_bytes
          from shardkeeper.calculate_value c where c.run_id = v_parent.id and c.fire_time = v_parent.fire;
        v_values := null;
        if v_count <= 25000 and v_bytes <= 4000000 then
            select coalesce(jsonb_agg(jsonb_build_object('item', c.item, 'key', c.key, 'value', c.value,
                                                         'weight', c.weight) order by c.item, c.key), '[]')
              into v_values
              from shardkeeper.calculate_value c where c.run_id = v_parent.id and c.fire_time = v_parent.fire;
        end if;
        v_bare := v_bare || jsonb_build_object(v_parent.job, jsonb_build_object(
            'run_id', v_parent.id, 'status', v_parent.status, 'result', v_result, 'values_left_out', true));
        v_told := v_told || jsonb_build_object(v_parent.job, case when v_values is null
            then v_bare -> v_parent.job
            else (v_bare -> v_parent.job) - 'values_left_out' || jsonb_build_object('values', v_values) end);
    end loop;
    if octet_length(v_told::text) > 990000 then
        v_told := v_bare;
    end if;
    if octet_length(v_told::text) > 990000 then
        select jsonb_object_agg(b.key, b.value || '{"result": null, "result_left_out": true}') into v_told
          from jsonb_each(v_bare) b;
    end if;
    return jsonb_build_object('follow_up', v_told);
end
$$;

-- Inserts the run that follows, or, where nothing can be run, a SKIPPED record that says why.
create function shardkeeper.start_follower(
    p_follower shardkeeper.job_version, p_flow text, p_arrived jsonb, p_parent bigint, p_fire timestamptz)
    returns void language plpgsql as $$
declare
    v_run bigint := nextval('shardkeeper.run_id');
begin
    begin
        perform shardkeeper.insert_ordered_run(
            v_run, 'follow_up', shardkeeper.orderable(p_follower.job_name), shardkeeper.impl_for(p_follower), p_fire,
            clock_timestamp(), shardkeeper.follow_up_parameters(p_arrived), p_follower.priority, null, null, null);
        update shardkeeper.job_run r set flow = p_flow, parent_run = p_parent, requested_by = null
         where r.id = v_run and r.fire_time = p_fire;
    exception when sqlstate 'SKREF' then
        insert into shardkeeper.job_run (id, job_name, fire_time, trigger_kind, status, reason, job_version,
                                         sharding_total_count, flow, parent_run, finished_at)
        values (v_run, p_follower.job_name, p_fire, 'follow_up', 'SKIPPED', sqlerrm, p_follower.version,
                p_follower.sharding_total_count, p_flow, p_parent, clock_timestamp());
    end;
end
$$;

-- Starts what follows these closed runs.
create function shardkeeper.start_followers(p_runs bigint[], p_fires timestamptz[]) returns void
    language plpgsql
    set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
    v_from    timestamptz;
    v_to      timestamptz;
    v_one     record;
    v_arrived jsonb;
    v_begun   text[] := '{}';
begin
    select min(f), max(f) into v_from, v_to from unnest(p_fires) f;
    for v_one in
        select n.follower, r.id, r.job_name, r.fire_time, r.status, shardkeeper.flow_of(r) as flow,
               coalesce((n.follower).follows ->> 'on', 'completed') as condition
          from shardkeeper.job_run r
         cross join lateral (
               -- the index finds who ever followed the job; what is in force says who does
               select f as follower
                 from (select distinct v.job_name from shardkeeper.job_version v
                        where v.follows <> '{}' and v.follows -> 'jobs' ? r.job_name) k
                cross join lateral shardkeeper.job_version_at(k.job_name, clock_timestamp()) f
                where f.follows -> 'jobs' ? r.job_name) n
         where r.id = any (p_runs) and r.fire_time between v_from and v_to
           and r.status in ('COMPLETED', 'FAILED', 'STOPPED')
         order by (n.follower).job_name, flow, r.id
    loop
        v_arrived := jsonb_build_object(v_one.job_name, jsonb_build_object(
            'run_id', v_one.id, 'fire_time', shardkeeper.instant_text(v_one.fire_time), 'status', v_one.status));
        if v_one.condition = 'failed' then
            continue when v_one.status <> 'FAILED';
        elsif jsonb_array_length((v_one.follower).follows -> 'jobs') = 1 then
            continue when v_one.condition = 'completed' and v_one.status <> 'COMPLETED';
        else
            insert into shardkeeper.follow_gate as g (job_name, flow, arrived)
            values ((v_one.follower).job_name, v_one.flow, v_arrived)
            on conflict (job_name, flow) do update set arrived = g.arrived || excluded.arrived
            returning g.arrived into v_arrived;
            continue when not shardkeeper.gate_opens((v_one.follower).follows, v_arrived);
            -- a further round, after reruns, begins with nothing
            delete from shardkeeper.follow_gate g
             where g.job_name = (v_one.follower).job_name and g.flow = v_one.flow;
        end if;
        -- of a run that was stopped before its time the fire time lies ahead, and nothing begins before its own
        perform shardkeeper.start_follower(
            v_one.follower, v_one.flow, v_arrived, v_one.id, least(v_one.fire_time, clock_timestamp()));
        v_begun := v_begun || (v_one.follower).job_name;
    end loop;
    if v_begun <> '{}' then
        perform shardkeeper.tell_work(true);
    end if;
end
$$;

-- To be called by whatever closes runs, last of all: `p_jobs` are theirs. One look into an index that is empty where no job
-- follows another.
create function shardkeeper.tell_followers(p_runs bigint[], p_fires timestamptz[], p_jobs text[]) returns void
    language plpgsql
    set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
begin
    if exists (select from shardkeeper.job_version v where v.follows <> '{}' and v.follows -> 'jobs' ?| p_jobs) then
        perform shardkeeper.start_followers(p_runs, p_fires);
    end if;
end
$$;

-- Refuses a transaction after which a job would follow one that there is not, or itself by way of others. Who changes what
-- is followed, or deletes a job, passes here one by one; the row is really written, so that whoever reads from an older
-- snapshot (REPEATABLE READ) is refused with 40001 instead of judging by what it sees.
create function shardkeeper.check_follows(p_jobs shardkeeper.job_version[]) returns void
    language plpgsql as $$
declare
    v_following text[];
    v_gone      text[];
    v_problem   text;
begin
    select array_agg(m.job_name) filter (where m.follows <> '{}'), array_agg(m.job_name) filter (where m.spec is null)
      into v_following, v_gone from unnest(p_jobs) m;
    if v_following is null and v_gone is null then
        return;
    end if;
    update shardkeeper.follow_guard set changed_xid = pg_current_xact_id();

    select format('%s cannot go: %s %s it', p.name, string_agg(j.name, ', ' order by j.name),
                  case when count(*) = 1 then 'follows' else 'follow' end) into v_problem
      from shardkeeper.job_spec j cross join lateral jsonb_array_elements_text(j.follows -> 'jobs') p (name)
     where j.follows <> '{}' and p.name = any (v_gone) group by p.name order by p.name limit 1;
    if v_problem is not null then
        perform shardkeeper.refuse(v_problem, 'let them follow another job, or none, in the same transaction');
    end if;
    select format('%s follows %s, and there is no such job', j.name, quote_literal(p.name)) into v_problem
      from shardkeeper.job_spec j cross join lateral jsonb_array_elements_text(j.follows -> 'jobs') p (name)
     where j.name = any (v_following) and j.follows <> '{}'
       and not exists (select from shardkeeper.job_spec k where k.name = p.name)
     order by j.name, p.name limit 1;
    if v_problem is not null then
        perform shardkeeper.refuse(v_problem, 'insert it in the same transaction, or before');
    end if;

    with recursive above (job, parent) as (
        select j.name, p.name
          from shardkeeper.job_spec j cross join lateral jsonb_array_elements_text(j.follows -> 'jobs') p (name)
         where j.name = any (v_following) and j.follows <> '{}'
        union
        select a.job, p.name
          from above a join shardkeeper.job_spec j on j.name = a.parent and j.follows <> '{}'
         cross join lateral jsonb_array_elements_text(j.follows -> 'jobs') p (name)
         where a.parent <> a.job)
    select case when count(*) = 1 then min(a.job) || ' would follow itself'
                else string_agg(a.job, ', ' order by a.job) || ' would follow one another in a circle' end
      into v_problem from above a where a.job = a.parent having count(*) > 0;
    if v_problem is not null then
        perform shardkeeper.refuse(v_problem, 'leave one of them out of follows');
    end if;
end
$$;
