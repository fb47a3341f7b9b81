-- Every stored neighbour, both sides joined with their books.
--   select * from imgsim.neighbour_ecco
--   where similarity >= 0.94 and publication_year < other_publication_year;
-- needs: neighbour, two_images_ecco
create or replace view imgsim.neighbour_ecco as
select
    m.name as model,
    n.image_id,
    t.name,
    n.rank,
    n.similarity,
    n.other_id,
    t.other_name,
    t.ecco_id,
    t.page_number,
    t.estc_id,
    t.work_id,
    t.ecco_full_title,
    t.publication_year,
    t.publication_place,
    t.authors,
    t.other_ecco_id,
    t.other_page_number,
    t.other_estc_id,
    t.other_work_id,
    t.other_ecco_full_title,
    t.other_publication_year,
    t.other_publication_place,
    t.other_authors,
    n.normalised,
    t.path,
    t.link,
    t.other_path,
    t.other_link
from imgsim.neighbour n
join imgsim.model m using (model_id)
join imgsim.two_images_ecco t on t.image_id = n.image_id and t.other_id = n.other_id;
