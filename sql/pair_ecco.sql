-- Every stored pair of like images, both sides joined with their books.
--   select * from imgsim.pair_ecco
--   where model = 'resnet50' and similarity >= 0.96 and ecco_id <> other_ecco_id;
--
-- `normalised` is the similarity read against both images' backgrounds, where neighbour lists are
-- stored (`imgsim.normalised`).
-- needs: background, normalised, two_images_ecco
create or replace view imgsim.pair_ecco as
select
    m.name as model,
    p.image_id,
    t.name,
    p.similarity,
    p.other_id,
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
    imgsim.normalised(
        p.similarity,
        imgsim.background(l.similarities),
        imgsim.background(ol.similarities)
    ) as normalised, -- the similarity read against both images' backgrounds (imgsim.normalised)
    t.path,
    t.link,
    t.other_path,
    t.other_link
from imgsim.pair p
join imgsim.model m using (model_id)
join imgsim.two_images_ecco t on t.image_id = p.image_id and t.other_id = p.other_id
left join imgsim.neighbour_list l on l.model_id = p.model_id and l.image_id = p.image_id
left join imgsim.neighbour_list ol on ol.model_id = p.model_id and ol.image_id = p.other_id;
