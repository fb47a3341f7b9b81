-- At or above each threshold, how many images have a neighbour, and how many pairs are there?
--   select * from imgsim.threshold_counts('resnet50', array[0.90, 0.94, 0.98]);
--
-- Images are exact: the nearest of each is its first neighbour. Pairs are those of the stored
-- lists: all there are where `complete`, and at least so many where a list of k is full of them.
-- needs: require_neighbours
create or replace function imgsim.threshold_counts(
    model text default 'resnet50',
    thresholds double precision[] default
        array[0.80, 0.85, 0.90, 0.91, 0.92, 0.93, 0.94, 0.95, 0.96, 0.97, 0.98, 0.99]
)
returns table (
    threshold double precision,
    images bigint,
    percent numeric,
    pairs bigint,
    complete boolean
)
language plpgsql
as $$
declare
    m smallint := imgsim.require_neighbours(model, 1);
    stored_k smallint;
    of_images bigint;
    lowest double precision := (select min(t) from unnest(thresholds) t);
begin
    select s.k, s.images into stored_k, of_images
    from imgsim.neighbour_state s
    where s.model_id = m;

    return query
    with near as materialized (
        select n.image_id, n.other_id, n.rank, n.similarity
        from imgsim.neighbour n
        where n.model_id = m and n.similarity >= lowest
    ), pair as materialized (
        select max(n.similarity) as similarity
        from near n
        group by least(n.image_id, n.other_id), greatest(n.image_id, n.other_id)
    ), firsts as (
        select t.threshold,
            count(n.image_id) filter (where n.rank = 1) as images,
            count(n.image_id) filter (where n.rank = stored_k) as full_lists
        from unnest(thresholds) as t (threshold)
        left join near n on n.similarity >= t.threshold and n.rank in (1, stored_k)
        group by t.threshold
    ), paired as (
        select t.threshold, count(p.similarity) as pairs
        from unnest(thresholds) as t (threshold)
        left join pair p on p.similarity >= t.threshold
        group by t.threshold
    )
    select f.threshold, f.images, round(100.0 * f.images / nullif(of_images, 0), 1), p.pairs,
        f.full_lists = 0 or stored_k >= of_images - 1
    from firsts f
    join paired p using (threshold)
    order by f.threshold;
end
$$;
