-- Partitions by day (UTC) of the fire time: made ahead, emptied out of DEFAULT, dropped when old.
--
-- DEFAULT catches whatever lies outside (reruns of old fires, submissions far ahead), so that no insert ever fails for
-- want of a partition. A day is made as a table of its own, gets the rows that DEFAULT has of it, and is attached then,
-- which locks DEFAULT but lets the parent go on; a CHECK that repeats the bounds saves scanning the new table again.

create table shardkeeper.job_run_default partition of shardkeeper.job_run default;
create table shardkeeper.shard_run_default partition of shardkeeper.shard_run default;
create table shardkeeper.calculate_value_default partition of shardkeeper.calculate_value default;

create function shardkeeper.partition_name(parent text, day date) returns text
    language sql immutable parallel safe
    return parent || '_' || to_char(day, 'YYYYMMDD');

-- The day a partition is for; null for DEFAULT and for what is none of ours.
create function shardkeeper.partition_day(partition text) returns date
    language sql immutable parallel safe
    return to_date(substring(partition from '^(?:job_run|shard_run|calculate_value)_([0-9]{8})$'), 'YYYYMMDD');

-- Makes one day of one table, with DEFAULT's rows of that day; the number of rows moved, null when it is there already.
create function shardkeeper.make_partition(parent text, day date) returns bigint
    language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC'
as $$
declare
    leaf    text := shardkeeper.partition_name(parent, day);
    whole   text := format('shardkeeper.%I', parent || '_default');
    bounds  text := format('fire_time >= %L and fire_time < %L', day::timestamptz, (day + 1)::timestamptz);
    moved   bigint;
begin
    if to_regclass('shardkeeper.' || quote_ident(leaf)) is not null then
        return null;
    end if;
    -- first of all, so that nobody inserts into DEFAULT between the move and the attaching
    execute format('lock table %s in access exclusive mode', whole);
    execute format('create table shardkeeper.%I (like shardkeeper.%I including defaults including constraints) '
                   'with (%s)', leaf, parent, shardkeeper.partition_options(parent));
    execute format('alter table shardkeeper.%I add constraint bounds check (fire_time is not null and %s)', leaf, bounds);
    execute format('with moved as (delete from %s where %s returning *) insert into shardkeeper.%I select * from moved',
                   whole, bounds, leaf);
    get diagnostics moved = row_count;
    execute format('alter table shardkeeper.%I attach partition shardkeeper.%I for values from (%L) to (%L)',
                   parent, leaf, day::timestamptz, (day + 1)::timestamptz);
    execute format('alter table shardkeeper.%I drop constraint bounds', leaf);
    return moved;
end
$$;

-- Runs are updated once or twice after their insert and keep room for it on the page. Attempts move between partial
-- indexes with every change of status, so room would not help them.
create function shardkeeper.partition_options(parent text) returns text
    language sql immutable parallel safe
    return case parent when 'job_run' then 'fillfactor = 80, ' else '' end
        || 'autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.1, '
           'autovacuum_analyze_scale_factor = 0.05, '
           -- statistics of a handful of rows would make plans for a handful of rows
           'autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_insert_threshold = 5000, '
           'autovacuum_analyze_threshold = 5000';

-- Days from `first` to `last` that are not there yet, one transaction for all.
create function shardkeeper.make_partitions(first date, last date, out made integer, out moved bigint)
    language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC'
as $$
declare
    parent text;
    day    date;
    rows   bigint;
begin
    made := 0;
    moved := 0;
    foreach parent in array array['job_run', 'shard_run', 'calculate_value'] loop
        for day in select d::date from generate_series(first::timestamp, last::timestamp, '1 day') d loop
            rows := shardkeeper.make_partition(parent, day);
            if rows is not null then
                made := made + 1;
                moved := moved + rows;
            end if;
        end loop;
    end loop;
end
$$;

select shardkeeper.make_partitions((now() at time zone 'UTC')::date - 3, (now() at time zone 'UTC')::date + 7);
