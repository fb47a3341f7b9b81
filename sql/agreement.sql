-- Rank by rank, where do two models agree, and which images should one look at?
--   select * from imgsim.agreement(k => 4);
--
-- `same` counts the images with the same neighbour at that rank in both lists, `in_both` those
-- whose neighbour of model a at that rank is anywhere among the k of model b. `agreeing` is the
-- surest image of the first kind; `differing` the one whose neighbour model a finds most like, and
-- model b does not name at all.
-- needs: require_neighbours, default_model
create or replace function imgsim.agreement(
    k integer default 4,
    model_a text default imgsim.default_model(1),
    model_b text default imgsim.default_model(2)
)
returns table (
    rank integer,
    images bigint,
    same bigint,
    same_percent numeric,
    in_both bigint,
    in_both_percent numeric,
    agreeing text,
    differing text,
    differing_neighbour text
)
language plpgsql
stable
as $$
declare
    a smallint := imgsim.require_neighbours(model_a, k);
    b smallint := imgsim.require_neighbours(model_b, k);
begin
    return query
    with compared as (
        select
            n.image_id,
            n.rank,
            n.other_id,
            n.similarity,
            o.rank as rank_of_b,
            o.similarity as similarity_of_b
        from imgsim.neighbour n
        left join imgsim.neighbour o
            on o.model_id = b
            and o.image_id = n.image_id
            and o.other_id = n.other_id
            and o.rank <= agreement.k
        where n.model_id = a
            and n.rank <= agreement.k
            and n.image_id in (select f.image_id from imgsim.neighbour f where f.model_id = b and f.rank = 1)
    ), counted as (
        select
            c.rank,
            count(*) as images,
            count(*) filter (where c.rank_of_b = c.rank) as same,
            count(c.rank_of_b) as in_both,
            (array_agg(c.image_id order by least(c.similarity, c.similarity_of_b) desc, c.image_id)
                filter (where c.rank_of_b = c.rank))[1] as agreeing,
            (array_agg(c.image_id order by c.similarity desc, c.image_id)
                filter (where c.rank_of_b is null))[1] as differing,
            (array_agg(c.other_id order by c.similarity desc, c.image_id)
                filter (where c.rank_of_b is null))[1] as differing_neighbour
        from compared c
        group by c.rank
    )
    select
        c.rank::integer,
        c.images,
        c.same,
        round(100.0 * c.same / c.images, 1),
        c.in_both,
        round(100.0 * c.in_both / c.images, 1),
        x.name,
        y.name,
        z.name
    from counted c
    left join imgsim.image x on x.image_id = c.agreeing
    left join imgsim.image y on y.image_id = c.differing
    left join imgsim.image z on z.image_id = c.differing_neighbour
    order by c.rank;
end
$$;
