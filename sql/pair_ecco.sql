-- Every stored pair of like images, both sides joined with their books.
--   select * from imgsim.pair_ecco
--   where model = 'resnet50' and similarity >= 0.96 and ecco_id <> other_ecco_id;
--
-- `normalised` is the similarity read against both images' backgrounds, where neighbour lists are
-- stored (`imgsim.normalised`).
-- needs: background, normalised
create or replace view imgsim.pair_ecco as
select
    m.name as model,
    p.image_id,
    i.name,
    p.similarity,
    p.other_id,
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
    imgsim.normalised(
        p.similarity,
        imgsim.background(l.similarities),
        imgsim.background(ol.similarities)
    ) as normalised
from imgsim.pair p
join imgsim.model m using (model_id)
join imgsim.image i on i.image_id = p.image_id
join imgsim.image o on o.image_id = p.other_id
left join imgsim.ecco_document d on d.ecco_id = i.ecco_id
left join imgsim.ecco_document od on od.ecco_id = o.ecco_id
left join imgsim.neighbour_list l on l.model_id = p.model_id and l.image_id = p.image_id
left join imgsim.neighbour_list ol on ol.model_id = p.model_id and ol.image_id = p.other_id;
