-- In how many images do two models share k, k - 1, … 0 of their k nearest neighbours?
--   select * from imgsim.overlap(k => 4);
--   select * from imgsim.overlap(only_images => array(
--       select image_id from imgsim.image_ecco where publication_decade = 1750));
-- needs: require_neighbours, default_model
create or replace function imgsim.overlap(
    k integer default 4,
    model_a text default imgsim.default_model(1),
    model_b text default imgsim.default_model(2),
    only_images bigint[] default null
)
returns table (
    shared integer,
    images bigint,
    percent numeric
)
language plpgsql
stable
as $$
declare
    a smallint := imgsim.require_neighbours(model_a, k);
    b smallint := imgsim.require_neighbours(model_b, k);
begin
    return query
    with counted as (
        select
            (
                select count(*)
                from unnest(l.other_ids[:overlap.k]) as other_id
                where other_id = any(o.other_ids[:overlap.k])
            ) as shared,
            count(*) as images
        from imgsim.neighbour_list l
        join imgsim.neighbour_list o using (image_id)
        where l.model_id = a and o.model_id = b
            and (only_images is null or l.image_id = any(only_images))
        group by 1
    )
    select s.shared, coalesce(c.images, 0),
        round(100.0 * coalesce(c.images, 0) / nullif(sum(c.images) over (), 0), 1)
    from generate_series(0, k) as s (shared)
    left join counted c using (shared)
    order by s.shared desc;
end
$$;
