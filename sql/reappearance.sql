-- For each image with a like one in another book: how many such books, and the first and last year?
--   select * from imgsim.reappearance('resnet18-print') order by other_documents desc limit 20;
--
-- Like means a stored pair at or above `min_similarity`, or where it is not given the model's own
-- threshold. Only images that name a book are counted.
-- needs: require_pairs, default_model, threshold_of
create or replace function imgsim.reappearance(
    model text default imgsim.default_model(),
    min_similarity double precision default null
)
returns table (
    image_id bigint,
    ecco_id text,
    publication_year integer,
    other_documents bigint,
    first_elsewhere integer,
    last_elsewhere integer
)
language plpgsql
stable
as $$
declare
    least_similarity double precision := imgsim.threshold_of(model, min_similarity);
    chosen smallint := imgsim.require_pairs(model, least_similarity);
begin
    return query
    with both_ways as (
        select p.image_id, p.other_id
        from imgsim.pair p
        where p.model_id = chosen and p.similarity >= least_similarity
        union all
        select p.other_id, p.image_id
        from imgsim.pair p
        where p.model_id = chosen and p.similarity >= least_similarity
    )
    select
        i.image_id,
        i.ecco_id,
        d.publication_year,
        count(distinct o.ecco_id),
        min(od.publication_year),
        max(od.publication_year)
    from both_ways b
    join imgsim.image i on i.image_id = b.image_id
    join imgsim.image o on o.image_id = b.other_id and o.ecco_id <> i.ecco_id
    left join imgsim.ecco_document d on d.ecco_id = i.ecco_id
    left join imgsim.ecco_document od on od.ecco_id = o.ecco_id
    group by i.image_id, d.publication_year
    order by i.image_id;
end
$$;
