-- In how many images do two models share k, k - 1, … 0 of their k nearest neighbours?
--   select * from imgsim.overlap(k => 4);
--   select * from imgsim.overlap(only_images => array(
--       select image_id from imgsim.image_ecco where publication_decade = 1750));
-- needs: overlap_by_image
create or replace function imgsim.overlap(
    k integer default 4,
    model_a text default 'resnet18',
    model_b text default 'resnet50',
    only_images bigint[] default null
)
returns table (
    shared integer,
    images bigint,
    percent numeric
)
language plpgsql
as $$
begin
    return query
    with counted as (
        select o.shared, count(*) as images
        from imgsim.overlap_by_image(k, model_a, model_b, only_images) o
        group by o.shared
    )
    select s.shared, coalesce(c.images, 0),
        round(100.0 * coalesce(c.images, 0) / nullif(sum(c.images) over (), 0), 1)
    from generate_series(0, k) as s (shared)
    left join counted c using (shared)
    order by s.shared desc;
end
$$;
