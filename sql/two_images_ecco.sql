-- Any two images, with the books they come from: what is known of both, under one set of names. The
-- views of pairs join it by `image_id` and `other_id`, and so can you.
--   select t.*
--   from imgsim.pair p
--   join imgsim.two_images_ecco t using (image_id, other_id)
--   where p.similarity >= 0.96 and t.ecco_id <> t.other_ecco_id;
--
-- It has a row for every image with every image: never read it without such a join.
-- needs: file_link
create or replace view imgsim.two_images_ecco as
select
    i.image_id,
    o.image_id as other_id,
    i.name,
    o.name as other_name,
    i.ecco_id,
    i.page_number,
    d.estc_id,
    d.work_id,
    d.ecco_full_title,
    d.publication_year,
    d.publication_place,
    d.authors,
    o.ecco_id as other_ecco_id,
    o.page_number as other_page_number,
    od.estc_id as other_estc_id,
    od.work_id as other_work_id,
    od.ecco_full_title as other_ecco_full_title,
    od.publication_year as other_publication_year,
    od.publication_place as other_publication_place,
    od.authors as other_authors,
    i.path,
    imgsim.file_link(i.path) as link, -- the address that opens the file with a click
    o.path as other_path,
    imgsim.file_link(o.path) as other_link -- of the other: the address that opens the file with a click
from imgsim.image i
left join imgsim.ecco_document d on d.ecco_id = i.ecco_id
cross join imgsim.image o
left join imgsim.ecco_document od on od.ecco_id = o.ecco_id;
