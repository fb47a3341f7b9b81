-- Every stored pair of like images, both sides joined with their books.
--   select * from imgsim.pair_ecco
--   where model = 'resnet18-print' and similarity >= 0.96 and ecco_id <> other_ecco_id;
--
-- `normalised` is the similarity read against both images' backgrounds, where neighbour lists are
-- stored (`imgsim.normalised`).
-- needs: background, normalised, image_ecco, other_ecco
create or replace view imgsim.pair_ecco as
select
    m.name as model,
    p.image_id,
    i.name,
    p.similarity,
    p.other_id,
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
    imgsim.normalised(
        p.similarity,
        imgsim.background(l.similarities),
        imgsim.background(ol.similarities)
    ) as normalised, -- the similarity read against both images' backgrounds (imgsim.normalised)
    i.path,
    i.link,
    o.other_path,
    o.other_link
from imgsim.pair p
join imgsim.model m using (model_id)
join imgsim.image_ecco i on i.image_id = p.image_id
join imgsim.other_ecco o on o.other_id = p.other_id
left join imgsim.neighbour_list l on l.model_id = p.model_id and l.image_id = p.image_id
left join imgsim.neighbour_list ol on ol.model_id = p.model_id and ol.image_id = p.other_id;
