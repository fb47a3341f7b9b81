-- Which pairs of images are worth a closer look? Each image's k nearest by every model, and every
-- stored pair; each pair once, the lesser id first.
--   select c.* from imgsim.candidates(10) c left join imgsim.verification v using (image_id, other_id)
--   where v.image_id is null;
-- needs: require_k
create or replace function imgsim.candidates(k integer default 10)
returns table (image_id bigint, other_id bigint)
language plpgsql
stable
as $$
begin
    perform imgsim.require_k(k);
    return query
    select least(l.image_id, o.id), greatest(l.image_id, o.id)
    from imgsim.neighbour_list l
    cross join lateral unnest(l.other_ids[:candidates.k]) as o (id)
    join imgsim.image i on i.image_id = o.id
    union
    select p.image_id, p.other_id
    from imgsim.pair p
    order by 1, 2;
end
$$;
