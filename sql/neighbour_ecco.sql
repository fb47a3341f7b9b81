-- Every stored neighbour, both sides joined with their books.
--   select * from imgsim.neighbour_ecco
--   where similarity >= 0.94 and publication_year < other_publication_year;
-- needs: neighbour
create or replace view imgsim.neighbour_ecco as
select
    m.name as model,
    n.image_id,
    i.name,
    n.rank,
    n.similarity,
    n.other_id,
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
    n.normalised
from imgsim.neighbour n
join imgsim.model m using (model_id)
join imgsim.image i on i.image_id = n.image_id
join imgsim.image o on o.image_id = n.other_id
left join imgsim.ecco_document d on d.ecco_id = i.ecco_id
left join imgsim.ecco_document od on od.ecco_id = o.ecco_id;
