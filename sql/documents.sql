-- Per book: how many illustrations, how many re-appear in another book, and from when to when?
--   select * from imgsim.documents('resnet18-print') order by reappearing desc limit 20;
--
-- Without `min_similarity` at the model's own threshold.
-- needs: reappearance, default_model
create or replace function imgsim.documents(
    model text default imgsim.default_model(),
    min_similarity double precision default null
)
returns table (
    ecco_id text,
    publication_year integer,
    ecco_full_title text,
    publication_place text,
    illustrations bigint,
    reappearing bigint,
    reappearing_percent numeric,
    first_elsewhere integer,
    last_elsewhere integer
)
language plpgsql
stable
as $$
begin
    return query
    select
        i.ecco_id,
        d.publication_year,
        d.ecco_full_title,
        d.publication_place,
        count(*),
        count(r.image_id),
        round(100.0 * count(r.image_id) / count(*), 1),
        min(r.first_elsewhere),
        max(r.last_elsewhere)
    from imgsim.image i
    left join imgsim.ecco_document d on d.ecco_id = i.ecco_id
    left join imgsim.reappearance(model, min_similarity) r on r.image_id = i.image_id
    where i.ecco_id is not null
    group by i.ecco_id, d.ecco_id
    order by count(r.image_id) desc, i.ecco_id;
end
$$;
