-- Which address opens the file of a picture with a click? A `file:` URL of its path, for whoever has
-- the pictures at the same place.
--   select name, imgsim.file_link(path) from imgsim.image limit 20;
--
-- What a URL may not hold is written %NN, byte by byte (RFC 8089 and 3986); of the path itself `\xNN` is a
-- byte that is not UTF-8, and `\\` a backslash.
-- no path: whatever the caller's is, the names here are qualified or fit PostgreSQL's own exactly
create or replace function imgsim.file_link(path text)
returns text
language plpgsql
immutable
strict
parallel safe
as $$
declare
    root text := case when path ~ '^/' then 'file://' else 'file:///' end;
begin
    -- Most paths need nothing: not to look for what does saves the most time.
    if path ~ '^[A-Za-z0-9._~:/-]*$' then
        return root || path;
    end if;
    return root || (
        select pg_catalog.string_agg(
            case
                when t.found[1] ~ '^[A-Za-z0-9._~:/-]' then t.found[1]
                when t.found[1] ~ '^\\x' then '%' || pg_catalog.upper(pg_catalog.substr(t.found[1], 3))
                when t.found[1] ~ '^\\' then '%5C'
                else pg_catalog.regexp_replace(
                    pg_catalog.upper(
                        pg_catalog.encode(pg_catalog.convert_to(t.found[1], 'UTF8'), 'hex')),
                    '(..)', '%\1', 'g')
            end,
            '' order by t.place)
        from pg_catalog.regexp_matches(
            path, '([A-Za-z0-9._~:/-]+|\\x[0-9a-f]{2}|\\\\?|[^A-Za-z0-9._~:/\\-]+)', 'g')
            with ordinality as t (found, place)
    );
end
$$;
