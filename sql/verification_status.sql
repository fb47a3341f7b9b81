-- How many of the pairs that are worth a closer look have been verified?
--   select s.candidates, s.verified from imgsim.verification_status() s;
-- needs: candidates
create or replace function imgsim.verification_status(k integer default 10)
returns table (candidates bigint, verified bigint)
language plpgsql
stable
as $$
begin
    return query
    select count(*), count(v.image_id)
    from imgsim.candidates(verification_status.k) c
    left join imgsim.verification v using (image_id, other_id);
end
$$;
