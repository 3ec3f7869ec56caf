-- The change feed: hints on the channel `shardkeeper`. A hint may be lost, doubled or late; nodes read tables, never hints.

create function shardkeeper.tell(kind text, detail jsonb default '{}') returns void
    language sql
begin atomic
    select pg_notify('shardkeeper', (jsonb_build_object('kind', kind) || detail)::text);
end;

-- Names of specs that changed, or none at all when they would not fit into one notification (8,000 bytes).
create function shardkeeper.tell_specs(jobs text[], impls text[]) returns void
    language plpgsql
as $$
declare
    named jsonb := '{}';
begin
    if cardinality(jobs) + cardinality(impls) = 0 then
        return;
    end if;
    if cardinality(jobs) + cardinality(impls) <= 1000 then
        named := jsonb_build_object('jobs', jobs, 'impls', impls);
        if octet_length(named::text) > 7000 then
            named := '{}';
        end if;
    end if;
    perform shardkeeper.tell('specs', named);
end
$$;
