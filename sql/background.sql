-- How much does an image resemble the others at all? The mean similarity of the second half of its
-- neighbour list, from the nearest on; the first half may be true re-use.
--   select l.image_id, imgsim.background(l.similarities) from imgsim.neighbour_list l limit 20;
--
-- Of a list of fewer than 4 it is null. In plpgsql because it is asked for every row of the lists:
-- a loop over a short array is several times as fast as a query over it.
-- no path: whatever the caller's is, the names here are qualified or fit PostgreSQL's own exactly
create or replace function imgsim.background(similarities double precision[])
returns double precision
language plpgsql
immutable
strict
parallel safe
as $$
declare
    length integer := pg_catalog.cardinality(similarities);
    similarity double precision;
    total double precision := 0;
begin
    if length < 4 then
        return null;
    end if;
    foreach similarity in array similarities[length / 2 + 1 :] loop
        total := total + similarity;
    end loop;
    return total / (length - length / 2)::double precision;
end
$$;
