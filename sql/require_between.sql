-- Can a similarity, a probability or a share be this number? An error where not: 94 is not 0.94, and
-- null and NaN, with which nothing compares, are no bounds.
--   select imgsim.require_between('min_similarity', 0.94, -1, 1);
create or replace function imgsim.require_between(
    what text,
    number double precision,
    lowest double precision,
    highest double precision
)
returns void
language plpgsql
immutable
as $$
begin
    if number between lowest and highest then
        return;
    end if;
    raise exception '% is %, and must be from % to %', what, coalesce(number::text, 'null'), lowest, highest
        using errcode = 'invalid_parameter_value',
              hint = case
                  when number > highest and number <= 100
                  then format('for %s percent give %s', number, number / 100)
                  else format('give a number from %s to %s', lowest, highest)
              end;
end
$$;
