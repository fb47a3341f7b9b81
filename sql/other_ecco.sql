-- Every image with its book, as the other of two: `imgsim.image_ecco` under the names that the views of
-- two images use. Join the one by `image_id` and this by `other_id`.
--   select i.name, o.other_name, i.publication_year, o.other_publication_year, p.similarity
--   from imgsim.pair p
--   join imgsim.image_ecco i using (image_id)
--   join imgsim.other_ecco o using (other_id)
--   where p.similarity >= 0.96 and i.ecco_id <> o.other_ecco_id;
--
-- Two views, and not one of every image with every other: joined with five tables more, PostgreSQL
-- would make all those pairs before it looks for the ones that are asked for (join_collapse_limit).
-- needs: image_ecco
create or replace view imgsim.other_ecco as
select
    i.image_id as other_id,
    i.name as other_name,
    i.ecco_id as other_ecco_id,
    i.page_number as other_page_number,
    i.estc_id as other_estc_id,
    i.work_id as other_work_id,
    i.ecco_full_title as other_ecco_full_title,
    i.publication_year as other_publication_year,
    i.publication_place as other_publication_place,
    i.authors as other_authors,
    i.path as other_path,
    i.link as other_link
from imgsim.image_ecco i;
