-- For each image, how many of its k nearest do two models agree on, and which?
--   select * from imgsim.overlap_by_image(k => 4) order by shared desc limit 20;
--
-- An image is in the answer when both models have a list for it, and it is among `only_images`,
-- where these are given. Its neighbours are those among all images all the same.
-- needs: require_neighbours, default_model
create or replace function imgsim.overlap_by_image(
    k integer default 4,
    model_a text default imgsim.default_model(1),
    model_b text default imgsim.default_model(2),
    only_images bigint[] default null
)
returns table (
    image_id bigint,
    name text,
    shared integer,
    shared_ids bigint[],
    only_a_ids bigint[],
    only_b_ids bigint[]
)
language plpgsql
stable
as $$
declare
    a smallint := imgsim.require_neighbours(model_a, k);
    b smallint := imgsim.require_neighbours(model_b, k);
begin
    return query
    with both_lists as (
        select n.image_id, n.other_id, count(*) = 2 as in_both, bool_or(n.model_id = a) as in_a
        from (
            select n.model_id, n.image_id, n.other_id
            from imgsim.neighbour n
            where n.model_id = a and n.rank <= k
                and (only_images is null or n.image_id = any(only_images))
            union all
            -- Not a second reading of the same rows: a model compared with itself has lists twice.
            select case when a = b then 0::smallint else n.model_id end, n.image_id, n.other_id
            from imgsim.neighbour n
            where n.model_id = b and n.rank <= k
                and (only_images is null or n.image_id = any(only_images))
        ) n
        group by n.image_id, n.other_id
    ), counted as (
        select
            l.image_id,
            count(*) filter (where l.in_both)::integer as shared,
            array_agg(l.other_id order by l.other_id) filter (where l.in_both) as shared_ids,
            array_agg(l.other_id order by l.other_id) filter (where l.in_a and not l.in_both) as only_a,
            array_agg(l.other_id order by l.other_id) filter (where not l.in_a and not l.in_both) as only_b
        from both_lists l
        group by l.image_id
        having bool_or(l.in_a) and bool_or(l.in_both or not l.in_a)
    )
    select i.image_id, i.name, c.shared,
        coalesce(c.shared_ids, '{}'), coalesce(c.only_a, '{}'), coalesce(c.only_b, '{}')
    from counted c
    join imgsim.image i using (image_id)
    order by i.image_id;
end
$$;
