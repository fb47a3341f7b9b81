-- Which books share pictures, and how many? One row for two books, the lesser ecco_id first.
--   select * from imgsim.book_graph('resnet18-print') order by shared_pictures desc limit 20;
--
-- `pairs` counts the pairs of images, one from each book, at or above `min_similarity` (by default
-- the model's own threshold); `images` and `other_images` the different images of either book among
-- them; `shared_pictures` is the lesser of these two, so that three impressions of one plate facing
-- three count 3 and not 9.
-- needs: require_pairs, default_model, threshold_of
create or replace function imgsim.book_graph(
    model text default imgsim.default_model(),
    min_similarity double precision default null
)
returns table (
    ecco_id text,
    other_ecco_id text,
    shared_pictures bigint,
    pairs bigint,
    images bigint,
    other_images bigint,
    max_similarity double precision,
    estc_id text,
    work_id text,
    ecco_full_title text,
    publication_year integer,
    publication_place text,
    authors text,
    other_estc_id text,
    other_work_id text,
    other_ecco_full_title text,
    other_publication_year integer,
    other_publication_place text,
    other_authors text
)
language plpgsql
stable
as $$
declare
    least_similarity double precision := imgsim.threshold_of(model, min_similarity);
    chosen smallint := imgsim.require_pairs(model, least_similarity);
begin
    return query
    with sided as (
        select
            case when swapped then o.ecco_id else i.ecco_id end as book,
            case when swapped then i.ecco_id else o.ecco_id end as other_book,
            case when swapped then p.other_id else p.image_id end as image,
            case when swapped then p.image_id else p.other_id end as other_image,
            p.similarity
        from imgsim.pair p
        join imgsim.image i on i.image_id = p.image_id
        join imgsim.image o on o.image_id = p.other_id
        cross join lateral (select i.ecco_id collate "C" > o.ecco_id collate "C" as swapped) s
        where p.model_id = chosen
            and p.similarity >= least_similarity
            and i.ecco_id <> o.ecco_id
    ), grouped as (
        select s.book, s.other_book, count(*) as n,
            count(distinct s.image) as n_images,
            count(distinct s.other_image) as n_other,
            max(s.similarity) as highest
        from sided s
        group by s.book, s.other_book
    )
    select g.book, g.other_book, least(g.n_images, g.n_other), g.n, g.n_images, g.n_other, g.highest,
        d.estc_id, d.work_id, d.ecco_full_title, d.publication_year, d.publication_place, d.authors,
        od.estc_id, od.work_id, od.ecco_full_title, od.publication_year, od.publication_place,
        od.authors
    from grouped g
    left join imgsim.ecco_document d on d.ecco_id = g.book
    left join imgsim.ecco_document od on od.ecco_id = g.other_book
    order by g.book collate "C", g.other_book collate "C";
end
$$;
