-- Every stored neighbour, both sides joined with their books.
--   select * from imgsim.neighbour_ecco
--   where similarity >= 0.94 and publication_year < other_publication_year;
-- needs: neighbour, image_ecco, other_ecco
create or replace view imgsim.neighbour_ecco as
select
    m.name as model,
    n.image_id,
    i.name,
    n.rank,
    n.similarity,
    n.other_id,
    o.other_name,
    i.ecco_id,
    i.page_number,
    i.estc_id,
    i.work_id,
    i.ecco_full_title,
    i.publication_year,
    i.publication_place,
    i.authors,
    o.other_ecco_id,
    o.other_page_number,
    o.other_estc_id,
    o.other_work_id,
    o.other_ecco_full_title,
    o.other_publication_year,
    o.other_publication_place,
    o.other_authors,
    n.normalised,
    i.path,
    i.link,
    o.other_path,
    o.other_link
from imgsim.neighbour n
join imgsim.model m using (model_id)
join imgsim.image_ecco i on i.image_id = n.image_id
join imgsim.other_ecco o on o.other_id = n.other_id;
