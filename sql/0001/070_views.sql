-- What people look at in psql, and what the listings of the faces are made of.

create view shardkeeper.job_status as
select j.name as job_name,
       coalesce(own.problem, of_impl.problem, declined.problem) as problem,
       held.since is not null as paused,
       held.reason as paused_reason,
       t.last_run, t.last_status, t.last_finished_at, coalesce(t.failures_in_a_row, 0) as failures_in_a_row
from shardkeeper.job_spec j
left join shardkeeper.job_state t on t.job_name = j.name
left join shardkeeper.spec_problem own on own.version = j.version
left join lateral (select p.problem from shardkeeper.impl_version v
                   join shardkeeper.spec_problem p on p.version = v.version
                   where v.impl_name = j.impl_spec
                         and not exists (select from shardkeeper.impl_version n
                                         where n.impl_name = v.impl_name and n.in_force_from > v.in_force_from)
                  ) of_impl on true
left join lateral (select string_agg(d.node_id || ': ' || d.reason, '; ' order by d.node_id) as problem
                   from shardkeeper.node_decline d
                   where d.job_name = j.name and d.job_version in (0, j.version)
                         and d.impl_version in (0, (select v.version from shardkeeper.impl_version v
                                                    where v.impl_name = j.impl_spec
                                                    order by v.in_force_from desc limit 1))) declined on true
left join lateral (select p.since, p.reason from shardkeeper.pause p
                   where p.job_name = j.name and p.since <= clock_timestamp()
                         and (p.until is null or p.until > clock_timestamp())
                         and (p.resumed_at is null or p.resumed_at > clock_timestamp())
                   order by p.id desc limit 1) held on true;

create view shardkeeper.running_now as
select s.job_name, s.run_id, shardkeeper.run_name(s.job_name, s.fire_time) as run_name, s.fire_time, s.item, s.attempt,
       s.status, s.node_id, s.incarnation, s.phase, s.claimed_at, s.started_at, clock_timestamp() - s.started_at as running_for,
       s.progress, s.progress_message, s.takeovers
from shardkeeper.shard_run s where s.status = 'RUNNING';

-- What waits may wait for something else too: a limit of its job, a node with room.
create view shardkeeper.pool_status as
select p.name, p.size,
       (select count(*) from shardkeeper.shard_run s
        where s.status = 'RUNNING' and s.pool = p.name and s.pool is not null) as running,
       (select count(*) from shardkeeper.shard_run s join shardkeeper.job_spec j on j.name = s.job_name
        where j.pool = p.name and s.status = 'PENDING' and not s.waiting and s.not_before <= clock_timestamp()) as waiting
from shardkeeper.pool p;

-- Each node by its living lease, else the newest dead one.
create view shardkeeper.node as
select distinct on (l.node_id)
       l.node_id, l.incarnation, l.host, l.pid, l.state, l.weight, l.labels, l.version as code_version, l.beat, l.joined_at,
       l.beaten_at, l.dead_at, l.dead_by, coalesce(o.drain, false) as drain_ordered, o.workers as workers_ordered,
       (select count(*) from shardkeeper.shard_run s where s.status = 'RUNNING' and s.incarnation = l.incarnation) as running
from shardkeeper.lease l left join shardkeeper.node_order o on o.node_id = l.node_id
order by l.node_id, l.state = 'dead', l.joined_at desc;

-- How late fires began, by hour and job, over the last day.
create view shardkeeper.lateness_hourly as
select date_trunc('hour', r.fire_time, 'UTC') as hour, r.job_name, count(*) as fires,
       percentile_cont(0.5) within group (order by extract(epoch from r.started_at - r.fire_time)) * 1000 as p50_ms,
       percentile_cont(0.99) within group (order by extract(epoch from r.started_at - r.fire_time)) * 1000 as p99_ms,
       max(extract(epoch from r.started_at - r.fire_time)) * 1000 as max_ms
from shardkeeper.job_run r
where r.trigger_kind = 'schedule' and r.started_at is not null
      and r.fire_time >= date_trunc('hour', now(), 'UTC') - interval '23 hours' and r.fire_time <= now()
group by 1, 2;

create view shardkeeper.audit as
select a.happened_at, a.who, a.what, a.subject, null::jsonb as before, a.detail as after from shardkeeper.audit_log a
union all
select v.in_force_from, v.changed_by,
       case when v.spec is null then 'delete job_spec' when v.before is null then 'insert job_spec' else 'update job_spec' end,
       v.job_name, v.before, v.spec
from (select o.*, lag(o.spec) over (partition by o.job_name order by o.in_force_from) as before
      from shardkeeper.job_version o) v
union all
select v.in_force_from, v.changed_by,
       case when v.impl is null then 'delete impl_spec' when v.before is null then 'insert impl_spec' else 'update impl_spec' end,
       v.impl_name, v.before, v.impl || jsonb_build_object('sources', v.sources)
from (select o.*, lag(o.impl || jsonb_build_object('sources', o.sources))
                  over (partition by o.impl_name order by o.in_force_from) as before
      from shardkeeper.impl_version o) v;
