-- Jobs that are gone: runs of which an attempt was claimed end under their versions, the others are stopped; history stays.

create function shardkeeper.close_deleted(jobs text[]) returns void
    language plpgsql
as $$
declare
    runs  bigint[];
    fires timestamptz[];
begin
    delete from shardkeeper.follow_gate g where g.job_name = any (jobs);
    -- PENDING attempts that wait and those that do not lie in two small indexes; history is not read
    with open_runs as (
        select s.run_id, s.fire_time from shardkeeper.shard_run s
        where s.status = 'PENDING' and not s.waiting and s.job_name = any (jobs)
        union
        select r.id, r.fire_time from shardkeeper.job_run r where r.waiting and r.job_name = any (jobs))
    select array_agg(o.run_id order by o.run_id), array_agg(o.fire_time order by o.run_id) into runs, fires
    from open_runs o
    where not exists (select from shardkeeper.shard_run s
                      where s.run_id = o.run_id and s.fire_time = o.fire_time and s.claim_no > 0);
    if runs is not null then
        perform shardkeeper.close_pending(runs, fires, 'STOPPED', 'deleted');
    end if;
end
$$;
