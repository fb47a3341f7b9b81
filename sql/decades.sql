-- Per decade: how many books and illustrations, and how many were seen in another book, earlier
-- or later?
--   select * from imgsim.decades('resnet18-print');
--
-- Images whose book has no year are in the row without a decade. Without `min_similarity` at the model's own
-- threshold.
-- needs: reappearance, default_model
create or replace function imgsim.decades(
    model text default imgsim.default_model(),
    min_similarity double precision default null
)
returns table (
    decade integer,
    documents bigint,
    illustrations bigint,
    reappearing bigint,
    reappearing_percent numeric,
    seen_earlier bigint,
    seen_later bigint
)
language plpgsql
stable
as $$
begin
    return query
    select
        coalesce(d.publication_decade, d.publication_year / 10 * 10),
        count(distinct i.ecco_id),
        count(*),
        count(r.image_id),
        round(100.0 * count(r.image_id) / count(*), 1),
        count(*) filter (where r.first_elsewhere < d.publication_year),
        count(*) filter (where r.last_elsewhere > d.publication_year)
    from imgsim.image i
    left join imgsim.ecco_document d on d.ecco_id = i.ecco_id
    left join imgsim.reappearance(model, min_similarity) r on r.image_id = i.image_id
    group by 1
    order by 1;
end
$$;
