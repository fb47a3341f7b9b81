-- Can so many answers be asked for? An error where not: k is 1 or more. Null is refused as well:
-- whoever takes it to mean a default, or all, fills that in before.
--   select imgsim.require_k(10);
create or replace function imgsim.require_k(k integer, what text default 'k')
returns void
language plpgsql
immutable
as $$
begin
    if k >= 1 then
        return;
    end if;
    raise exception '% is %, and must be at least 1', what, coalesce(k::text, 'null')
        using errcode = 'invalid_parameter_value',
              hint = format('give a whole number such as 10 as %s', what);
end
$$;
