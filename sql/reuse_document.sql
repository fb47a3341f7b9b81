-- Which books share re-used pictures, and how many? One row for two books, the lesser ecco_id first.
--   select * from imgsim.reuse_document order by shared_groups desc limit 20;
--
-- `shared_groups` counts the groups of which both books have a picture, `images` and `other_images`
-- the pictures of either book in them. `years_apart` is null where a year is not known.
create or replace view imgsim.reuse_document as
with held as (
    select m.group_id, i.ecco_id, count(*) as images
    from imgsim.group_member m
    join imgsim.image i using (image_id)
    where i.ecco_id is not null
    group by m.group_id, i.ecco_id
), shared as (
    select
        h.ecco_id,
        o.ecco_id as other_ecco_id,
        count(*) as shared_groups,
        sum(h.images)::bigint as images,
        sum(o.images)::bigint as other_images
    from held h
    join held o on o.group_id = h.group_id and o.ecco_id collate "C" > h.ecco_id collate "C"
    group by h.ecco_id, o.ecco_id
)
select
    s.ecco_id, -- ECCO document, ten digits, text
    s.other_ecco_id, -- of the other: ECCO document, ten digits, text
    s.shared_groups, -- of how many groups both books have a picture
    s.images, -- how many pictures of them the first book has
    s.other_images, -- how many pictures of them the other book has
    abs(od.publication_year - d.publication_year) as years_apart, -- years between the two; null where one is not known
    d.estc_id,
    d.work_id,
    d.ecco_full_title,
    d.publication_year,
    d.publication_place,
    d.authors,
    od.estc_id as other_estc_id,
    od.work_id as other_work_id,
    od.ecco_full_title as other_ecco_full_title,
    od.publication_year as other_publication_year,
    od.publication_place as other_publication_place,
    od.authors as other_authors
from shared s
left join imgsim.ecco_document d on d.ecco_id = s.ecco_id
left join imgsim.ecco_document od on od.ecco_id = s.other_ecco_id;
