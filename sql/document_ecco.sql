-- Every book of the bibliography, with the number of its images that are stored.
--   select ecco_id, ecco_full_title, images from imgsim.document_ecco order by images desc limit 20;
create or replace view imgsim.document_ecco as
select
    d.ecco_id,
    d.estc_id,
    d.ecco_full_title,
    d.ecco_pages,
    d.language_primary,
    d.gatherings,
    d.publication_year,
    d.publication_decade,
    d.work_id,
    d.publication_place,
    d.publication_country,
    d.document_type,
    d.sub_category,
    d.authors,
    coalesce(n.images, 0) as images, -- how many images of the book are stored
    d.extra
from imgsim.ecco_document d
left join (
    select i.ecco_id, count(*) as images
    from imgsim.image i
    where i.ecco_id is not null
    group by i.ecco_id
) n using (ecco_id);
