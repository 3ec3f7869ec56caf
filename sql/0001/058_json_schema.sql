-- A subset of JSON Schema (draft 2020-12), by which the parameters of orders are judged at the door.
--
-- Everything in the subset is judged, and a schema that asks for more is refused where it is written: nothing passes
-- because nobody looked. Numbers are exact (PostgreSQL's numeric: 0.3 is a multiple of 0.1). A pattern is found anywhere
-- in a text, and is made of what ECMA 262 and PostgreSQL's regular expressions have in common: no look-around, no back
-- references, no \b, \p or \u; \d and \w are those of ASCII, `.` stands for a line break too, `$` for the very end alone.

-- First what is wrong with a schema.

create function shardkeeper.json_pattern_problem(p_pattern text) returns text
    language plpgsql immutable parallel safe as $$
begin
    -- signs that begin, end, group and part; atoms, each perhaps with how often it may come
    if length(p_pattern) > 1000 or p_pattern !~ (
        '^([\^$|]|\((\?:)?'
        '|(\)|\.|\\[dwsDWS]|\\[^A-Za-z0-9]|\[\^?(\\[dws](?!-)|\\[^A-Za-z0-9]|[^]\[\\])+\]|[^]\^$.|?*+()\[\\{}])'
        '(([*+?]|\{[0-9]{1,3}(,([0-9]{1,3})?)?\})\??)?)*$') then
        return 'holds a pattern that is not of the subset';
    end if;
    perform '' ~ (p_pattern collate "C");
    return null;
exception when invalid_regular_expression then
    return 'holds a pattern that is no regular expression';
end
$$;

-- What is wrong with the value of a keyword that holds no schemas.
create function shardkeeper.json_keyword_problem(p_root jsonb, p_keyword text, p_value jsonb) returns text
    language plpgsql immutable parallel safe as $$
declare
    v_kind text := jsonb_typeof(p_value);
begin
    case
        when p_keyword in ('const', 'default', 'examples') then
            return null;
        when p_keyword in ('title', 'description', '$comment', '$schema') then
            return case when v_kind <> 'string' then 'is not a text' end;
        when p_keyword = 'type' then
            return case when not (v_kind = 'string' or v_kind = 'array' and p_value <> '[]')
                          or not p_value <@ '["null", "boolean", "integer", "number", "string", "array", "object"]'
                        then 'is not one or more of null, boolean, integer, number, string, array, object' end;
        when p_keyword = 'enum' then
            return case when v_kind <> 'array' or p_value = '[]' then 'is not a list of values' end;
        when p_keyword = 'required' then
            return case when v_kind <> 'array'
                          or jsonb_path_exists(p_value, 'strict $[*] ? (@.type() != "string")')
                        then 'is not a list of names' end;
        when p_keyword in ('minLength', 'maxLength', 'minItems', 'maxItems', 'minProperties', 'maxProperties') then
            return case when v_kind <> 'number' then 'is not a number of at least 0'
                        when p_value #>> '{}' !~ '^[0-9]{1,9}(\.0+)?$' then 'is not a whole number of at most 9 digits'
                   end;
        when p_keyword in ('minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf') then
            return case when v_kind <> 'number' then 'is not a number'
                        when p_keyword = 'multipleOf' and (p_value #>> '{}')::numeric <= 0 then 'is not more than 0' end;
        when p_keyword = 'uniqueItems' then
            return case when v_kind <> 'boolean' then 'is not true or false' end;
        when p_keyword = 'pattern' then
            return case when v_kind <> 'string' then 'is not a text'
                        else shardkeeper.json_pattern_problem(p_value #>> '{}') end;
        when p_keyword = '$ref' then
            return case when v_kind = 'string' and p_value = '"#"' then null
                        when v_kind = 'string' and p_value #>> '{}' ~ '^#/\$defs/[^/~%]+$'
                             and p_root -> '$defs' ? substr(p_value #>> '{}', 9) then null
                        else 'names nothing: write "#" or "#/$defs/NAME"' end;
        else
            return 'is a keyword that is not of the subset';
    end case;
end
$$;

-- What is wrong with a schema within a schema, with its place.
create function shardkeeper.json_schema_flaw(p_root jsonb, p_schema jsonb, p_place text, p_depth integer) returns text
    language plpgsql immutable parallel safe as $$
declare
    v_keyword text;
    v_value   jsonb;
    v_kind    text;
    v_name    text;
    v_inner   jsonb;
    v_problem text;
begin
    if jsonb_typeof(p_schema) = 'boolean' then
        return null;
    elsif jsonb_typeof(p_schema) <> 'object' then
        return p_place || ' is not a schema: write an object, true or false';
    elsif p_depth > 32 then
        return p_place || ' lies more than 32 deep';
    end if;
    for v_keyword, v_value in select k.key, k.value from jsonb_each(p_schema) k loop
        v_kind := jsonb_typeof(v_value);
        v_problem := null;
        if v_keyword in ('additionalProperties', 'propertyNames', 'items', 'not', 'if', 'then', 'else') then
            v_problem := shardkeeper.json_schema_flaw(p_root, v_value, p_place || '/' || v_keyword, p_depth + 1);
        elsif v_keyword in ('properties', 'patternProperties', '$defs') then
            if v_kind <> 'object' then
                v_problem := format('%s/%s is not an object of schemas', p_place, v_keyword);
            elsif v_keyword = '$defs' and p_depth > 1 then
                v_problem := format('%s/%s is not at the top', p_place, v_keyword);
            else
                for v_name, v_inner in select k.key, k.value from jsonb_each(v_value) k loop
                    if v_keyword = 'patternProperties' then
                        v_problem := p_place || '/patternProperties ' || shardkeeper.json_pattern_problem(v_name);
                    end if;
                    v_problem := coalesce(v_problem, shardkeeper.json_schema_flaw(
                        p_root, v_inner, p_place || '/' || v_keyword || '/' || v_name, p_depth + 1));
                    exit when v_problem is not null;
                end loop;
            end if;
        elsif v_keyword in ('allOf', 'anyOf', 'oneOf', 'prefixItems') then
            if v_kind <> 'array' or v_value = '[]' then
                v_problem := format('%s/%s is not a list of schemas', p_place, v_keyword);
            else
                select shardkeeper.json_schema_flaw(p_root, e.value, p_place || '/' || v_keyword, p_depth + 1)
                  into v_problem
                  from jsonb_array_elements(v_value) with ordinality e (value, n)
                 where shardkeeper.json_schema_flaw(p_root, e.value, '', p_depth + 1) is not null
                 order by e.n limit 1;
            end if;
        else
            v_problem := p_place || '/' || v_keyword || ' '
                         || shardkeeper.json_keyword_problem(p_root, v_keyword, v_value);
        end if;
        if v_problem is not null then
            return v_problem;
        end if;
    end loop;
    return null;
end
$$;

-- The first thing that is wrong with a schema, with its place; null: everything in it is judged. It, and what else is
-- called by whoever writes specs, runs as its owner, so that they need no right on all the rest.
create function shardkeeper.json_schema_problem(schema jsonb) returns text
    language sql immutable parallel safe security definer set search_path = pg_catalog, pg_temp
    return shardkeeper.json_schema_flaw(schema, schema, '#', 1);

-- True, or the refusal with its reason, which the name of a CHECK could not tell.
create function shardkeeper.json_schema_holds(schema jsonb) returns boolean
    language plpgsql immutable parallel safe security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_problem text := shardkeeper.json_schema_problem(schema);
begin
    if jsonb_typeof(schema) = 'object' and v_problem is not null then
        raise exception using errcode = 'check_violation', message = 'parameters_schema: ' || left(v_problem, 500),
            hint = 'docs/reference/sql.md lists the keywords of JSON Schema that are judged';
    end if;
    return true;
end
$$;
alter table shardkeeper.job_spec add constraint "parameters_schema is of the subset that is judged"
    check (parameters_schema is null or shardkeeper.json_schema_holds(parameters_schema));

-- Then what is wrong with a value.

create function shardkeeper.json_shown(p_value jsonb) returns text
    language sql immutable parallel safe
    return case when length(p_value::text) <= 60 then p_value::text else left(p_value::text, 57) || '...' end;

create function shardkeeper.json_is_of_type(p_value jsonb, p_kind text, p_type text) returns boolean
    language sql immutable parallel safe
    return case when p_type <> 'integer' then p_kind = p_type
                when p_kind = 'number' then (p_value #>> '{}')::numeric % 1 = 0
                else false end;

-- By keywords that hold no schemas; those that are not for this kind of value let it pass.
create function shardkeeper.json_plain_fault(p_keyword text, p_asked jsonb, p_value jsonb, p_kind text) returns text
    language plpgsql immutable parallel safe as $$
declare
    v_text   text := p_value #>> '{}';
    v_asked  text := p_asked #>> '{}';
    v_found  text;
begin
    case p_keyword
        when 'type' then
            if jsonb_typeof(p_asked) = 'string' then
                if shardkeeper.json_is_of_type(p_value, p_kind, v_asked) then
                    return null;
                end if;
            elsif exists (select from jsonb_array_elements_text(p_asked) t
                           where shardkeeper.json_is_of_type(p_value, p_kind, t)) then
                return null;
            end if;
            return format('is %s, not of type %s', shardkeeper.json_shown(p_value), p_asked);
        when 'enum' then
            -- `@>` alone would let a list pass that is part of one
            return case when not exists (select from jsonb_array_elements(p_asked) e where e = p_value)
                        then format('is %s, not one of %s', shardkeeper.json_shown(p_value),
                                    shardkeeper.json_shown(p_asked)) end;
        when 'const' then
            return case when p_value <> p_asked
                        then format('is %s, not %s', shardkeeper.json_shown(p_value),
                                    shardkeeper.json_shown(p_asked)) end;
        else null;
    end case;
    if p_kind = 'string' then
        return case p_keyword
            when 'minLength' then
                case when length(v_text) < v_asked::numeric then format('is shorter than %s characters', v_asked) end
            when 'maxLength' then
                case when length(v_text) > v_asked::numeric then format('is longer than %s characters', v_asked) end
            when 'pattern' then
                case when v_text !~ (v_asked collate "C")
                     then format('is %s, which does not match %s', shardkeeper.json_shown(p_value), v_asked) end
            end;
    elsif p_kind = 'number' then
        return case p_keyword
            when 'minimum' then
                case when v_text::numeric < v_asked::numeric
                     then format('is %s, less than %s', v_text, v_asked) end
            when 'maximum' then
                case when v_text::numeric > v_asked::numeric
                     then format('is %s, more than %s', v_text, v_asked) end
            when 'exclusiveMinimum' then
                case when v_text::numeric <= v_asked::numeric
                     then format('is %s, not more than %s', v_text, v_asked) end
            when 'exclusiveMaximum' then
                case when v_text::numeric >= v_asked::numeric
                     then format('is %s, not less than %s', v_text, v_asked) end
            when 'multipleOf' then
                case when v_text::numeric % v_asked::numeric <> 0
                     then format('is %s, no multiple of %s', v_text, v_asked) end
            end;
    elsif p_kind = 'array' then
        return case p_keyword
            when 'minItems' then
                case when jsonb_array_length(p_value) < v_asked::numeric
                     then format('has fewer than %s items', v_asked) end
            when 'maxItems' then
                case when jsonb_array_length(p_value) > v_asked::numeric
                     then format('has more than %s items', v_asked) end
            when 'uniqueItems' then
                case when p_asked = 'true'
                          and jsonb_array_length(p_value)
                              > (select count(distinct e) from jsonb_array_elements(p_value) e)
                     then 'has equal items' end
            end;
    elsif p_kind = 'object' then
        if p_keyword = 'required' then
            select r into v_found from jsonb_array_elements_text(p_asked) r where not p_value ? r limit 1;
            return 'lacks ' || to_jsonb(v_found)::text;
        end if;
        return case p_keyword
            when 'minProperties' then
                case when (select count(*) from jsonb_object_keys(p_value)) < v_asked::numeric
                     then format('has fewer than %s properties', v_asked) end
            when 'maxProperties' then
                case when (select count(*) from jsonb_object_keys(p_value)) > v_asked::numeric
                     then format('has more than %s properties', v_asked) end
            end;
    end if;
    return null;
end
$$;

-- By keywords that hold schemas for what is in an object. A function for each kind of value keeps plans small.
create function shardkeeper.json_object_fault(
    p_root jsonb, p_schema jsonb, p_keyword text, p_value jsonb, p_path text, p_depth integer) returns text
    language plpgsql immutable parallel safe as $$
declare
    v_inner jsonb := p_schema -> p_keyword;
    v_name  text;
    v_of    jsonb;
    v_fault text;
begin
    for v_name, v_of in select k.key, k.value from jsonb_each(p_value) k loop
        if p_keyword = 'properties' then
            if v_inner ? v_name then
                v_fault := shardkeeper.json_schema_fault(p_root, v_inner -> v_name, v_of, p_path || '.' || v_name,
                                                         p_depth);
            end if;
        elsif p_keyword = 'propertyNames' then
            v_fault := shardkeeper.json_schema_fault(p_root, v_inner, to_jsonb(v_name),
                                                     p_path || '.' || v_name || ' (its name)', p_depth);
        elsif p_keyword = 'patternProperties' then
            select shardkeeper.json_schema_fault(p_root, k.value, v_of, p_path || '.' || v_name, p_depth) into v_fault
              from jsonb_each(v_inner) k
             where v_name ~ (k.key collate "C")
               and shardkeeper.json_schema_fault(p_root, k.value, v_of, '', p_depth) is not null
             limit 1;
        elsif not coalesce(p_schema -> 'properties' ? v_name, false)
              and not exists (select from jsonb_object_keys(p_schema -> 'patternProperties') k
                               where v_name ~ (k collate "C")) then
            if v_inner = 'false' then
                return format('%s: has %s, which is not expected', p_path, to_jsonb(v_name));
            end if;
            v_fault := shardkeeper.json_schema_fault(p_root, v_inner, v_of, p_path || '.' || v_name, p_depth);
        end if;
        if v_fault is not null then
            return v_fault;
        end if;
    end loop;
    return null;
end
$$;

create function shardkeeper.json_array_fault(
    p_root jsonb, p_schema jsonb, p_keyword text, p_value jsonb, p_path text, p_depth integer) returns text
    language plpgsql immutable parallel safe as $$
declare
    v_first integer := coalesce(jsonb_array_length(p_schema -> 'prefixItems'), 0);
    v_from  integer := case when p_keyword = 'items' then v_first else 0 end;
    v_to    integer := jsonb_array_length(p_value) - 1;
    v_fault text;
begin
    if p_keyword = 'prefixItems' then
        v_to := least(v_to, v_first - 1);
    end if;
    for n in v_from .. v_to loop
        v_fault := shardkeeper.json_schema_fault(
            p_root, case when p_keyword = 'items' then p_schema -> 'items' else p_schema -> 'prefixItems' -> n end,
            p_value -> n, format('%s[%s]', p_path, n), p_depth);
        if v_fault is not null then
            return v_fault;
        end if;
    end loop;
    return null;
end
$$;

create function shardkeeper.json_combined_fault(
    p_root jsonb, p_schema jsonb, p_keyword text, p_value jsonb, p_path text, p_depth integer) returns text
    language plpgsql immutable parallel safe as $$
declare
    v_asked jsonb := p_schema -> p_keyword;
    v_fault text;
    v_first text;
    v_fits  integer := 0;
begin
    case p_keyword
        when '$ref' then
            return shardkeeper.json_schema_fault(
                p_root, case when v_asked = '"#"' then p_root else p_root -> '$defs' -> substr(v_asked #>> '{}', 9) end,
                p_value, p_path, p_depth);
        when 'not' then
            return case when shardkeeper.json_schema_fault(p_root, v_asked, p_value, p_path, p_depth) is null
                        then format('%s: is %s, which is just what it must not be', p_path,
                                    shardkeeper.json_shown(p_value)) end;
        when 'if' then
            return shardkeeper.json_schema_fault(
                p_root,
                case when shardkeeper.json_schema_fault(p_root, v_asked, p_value, p_path, p_depth) is null
                     then coalesce(p_schema -> 'then', 'true') else coalesce(p_schema -> 'else', 'true') end,
                p_value, p_path, p_depth);
        else null;
    end case;
    for n in 0 .. jsonb_array_length(v_asked) - 1 loop
        v_fault := shardkeeper.json_schema_fault(p_root, v_asked -> n, p_value, p_path, p_depth);
        if v_fault is not null and p_keyword = 'allOf' then
            return v_fault;
        end if;
        v_first := coalesce(v_first, v_fault);
        v_fits := v_fits + case when v_fault is null then 1 else 0 end;
        exit when v_fits = 1 and p_keyword = 'anyOf';
    end loop;
    return case when p_keyword = 'allOf' or v_fits = 1 then null
                when v_fits = 0 then format('%s: fits none of %s (of the first: %s)', p_path, p_keyword, v_first)
                else format('%s: fits %s of oneOf, not one', p_path, v_fits) end;
end
$$;

-- The first place of a value that does not fit a schema of the subset, with what is wrong there; null: it fits. Where
-- schemas that name one another lead deeper than 64, the value is refused.
create function shardkeeper.json_schema_fault(
    p_root jsonb, p_schema jsonb, p_value jsonb, p_path text, p_depth integer) returns text
    language plpgsql immutable parallel safe as $$
declare
    v_kind    text := jsonb_typeof(p_value);
    v_keyword text;
    v_asked   jsonb;
    v_fault   text;
begin
    if p_schema = 'true' then
        return null;
    elsif p_schema = 'false' then
        return p_path || ': is not expected';
    elsif p_depth > 64 then
        -- raised, as `not` would take a fault for a fit
        raise exception using errcode = 'SKREF',
            message = format('%s is nested too deeply for its schema', left(p_path, 100));
    end if;
    for v_keyword, v_asked in select k.key, k.value from jsonb_each(p_schema) k loop
        if v_keyword in ('properties', 'patternProperties', 'additionalProperties', 'propertyNames') then
            if v_kind = 'object' then
                v_fault := shardkeeper.json_object_fault(p_root, p_schema, v_keyword, p_value, p_path, p_depth + 1);
            end if;
        elsif v_keyword in ('items', 'prefixItems') then
            if v_kind = 'array' then
                v_fault := shardkeeper.json_array_fault(p_root, p_schema, v_keyword, p_value, p_path, p_depth + 1);
            end if;
        elsif v_keyword in ('allOf', 'anyOf', 'oneOf', 'not', 'if', '$ref') then
            v_fault := shardkeeper.json_combined_fault(p_root, p_schema, v_keyword, p_value, p_path, p_depth + 1);
        else
            v_fault := p_path || ': ' || shardkeeper.json_plain_fault(v_keyword, v_asked, p_value, v_kind);
        end if;
        if v_fault is not null then
            return left(v_fault, 1000);
        end if;
    end loop;
    return null;
end
$$;

-- The same of whoever asks; null: it fits.
create function shardkeeper.json_schema_error(schema jsonb, value jsonb) returns text
    language sql immutable parallel safe security definer set search_path = pg_catalog, pg_temp
    return shardkeeper.json_schema_fault(schema, schema, value, '$', 1);
