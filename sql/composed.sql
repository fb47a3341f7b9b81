-- How is a text stored as a picture's name? With its accents composed (Unicode's form NFC), as
-- everybody types them; a Mac's files have them decomposed.
--   select imgsim.composed('e' || chr(769)) = chr(233);
-- no path: whatever the caller's is, the names here are PostgreSQL's own
create or replace function imgsim.composed(text text)
returns text
language plpgsql
immutable
parallel safe
strict
as $$
begin
    -- Only in a database whose encoding is Unicode can there be two forms, and only there is this
    -- allowed.
    if pg_catalog.getdatabaseencoding() operator(pg_catalog.<>) 'UTF8' then
        return text;
    end if;
    return pg_catalog.normalize(text, 'NFC');
end
$$;
