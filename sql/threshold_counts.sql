-- At or above each threshold: how many images have a neighbour, how many pairs are there, and how
-- many of these are of two books? What it means to choose one.
--   select * from imgsim.threshold_counts('resnet18-print', array[0.90, 0.94, 0.98]);
--
-- Without `thresholds`: 0.80 to 0.99, and the model's own.
--
-- Images are exact: the nearest of each is its first neighbour. Pairs are complete where the stored
-- pairs reach down to the threshold (`imgsim pairs`), or no list of neighbours is full of them;
-- else `complete` is false, and there are at least so many.
-- needs: require_neighbours, require_between, default_model, threshold_of
create or replace function imgsim.threshold_counts(
    model text default imgsim.default_model(),
    thresholds double precision[] default null
)
returns table (
    threshold double precision,
    images bigint,
    percent numeric,
    pairs bigint,
    pairs_across_documents bigint,
    complete boolean
)
language plpgsql
stable
as $$
declare
    usual constant double precision[] :=
        array[0.80, 0.85, 0.90, 0.91, 0.92, 0.93, 0.94, 0.95, 0.96, 0.97, 0.98, 0.99];
    m smallint := imgsim.require_neighbours(model, 1);
    lists imgsim.neighbour_state;
    pairs_from double precision := (
        select s.threshold
        from imgsim.pair_state s
        join imgsim.model x on x.model_id = s.model_id and x.revision = s.revision
        where s.model_id = m);
    lowest double precision;
begin
    thresholds := coalesce(thresholds, usual || imgsim.threshold_of(model));
    lowest := (select min(t) from unnest(thresholds) t);
    if coalesce(cardinality(thresholds), 0) = 0 then
        raise exception 'no thresholds are given'
            using errcode = 'invalid_parameter_value', hint = 'give some: thresholds => array[0.9, 0.94]';
    end if;
    perform imgsim.require_between('a threshold', t.threshold, -1, 1)
    from unnest(thresholds) as t (threshold);
    select s.* into lists from imgsim.neighbour_state s where s.model_id = m;
    return query
    with near as materialized (
        select n.image_id, n.other_id, n.rank, n.similarity
        from imgsim.neighbour n
        where n.model_id = m and n.similarity >= lowest
    ), known as (
        select p.image_id, p.other_id, p.similarity
        from imgsim.pair p
        where p.model_id = m and p.similarity >= lowest and pairs_from is not null
        union all
        select least(n.image_id, n.other_id), greatest(n.image_id, n.other_id), n.similarity
        from near n
        where n.similarity < coalesce(pairs_from, 2)
    ), pair as materialized (
        select max(k.similarity) as similarity, bool_or(i.ecco_id <> o.ecco_id) as across
        from known k
        join imgsim.image i on i.image_id = k.image_id
        join imgsim.image o on o.image_id = k.other_id
        group by k.image_id, k.other_id
    ), firsts as (
        select t.threshold,
            count(n.image_id) filter (where n.rank = 1) as images,
            count(n.image_id) filter (where n.rank = lists.k) as full_lists
        from (select distinct u.threshold from unnest(thresholds) as u (threshold)) as t
        left join near n on n.similarity >= t.threshold and n.rank in (1, lists.k)
        group by t.threshold
    ), paired as (
        select t.threshold, count(p.similarity) as pairs, count(*) filter (where p.across) as across
        from (select distinct u.threshold from unnest(thresholds) as u (threshold)) as t
        left join pair p on p.similarity >= t.threshold
        group by t.threshold
    )
    select
        f.threshold,
        f.images,
        round(100.0 * f.images / nullif(lists.images, 0), 1),
        p.pairs,
        p.across,
        f.threshold >= coalesce(pairs_from, 2) or f.full_lists = 0 or lists.k >= lists.images - 1
    from firsts f
    join paired p using (threshold)
    order by f.threshold;
end
$$;
