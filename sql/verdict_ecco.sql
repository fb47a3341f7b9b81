-- Every verdict ever given, both sides joined with their books; `imgsim verdict --load` reads this.
--   select * from imgsim.verdict_ecco where by = 'Mary Jones' and at >= '2026-01-01';
--
-- `image` and `other` are what the two can be called by in another store of the same pictures.
-- needs: image_called
create or replace view imgsim.verdict_ecco as
select
    imgsim.image_called(v.image_id) as image,
    imgsim.image_called(v.other_id) as other,
    v.verdict,
    v.note,
    v.by,
    v.at,
    v.verdict_id,
    v.image_id,
    v.other_id,
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
    od.authors as other_authors
from imgsim.verdict v
join imgsim.image i on i.image_id = v.image_id
join imgsim.image o on o.image_id = v.other_id
left join imgsim.ecco_document d on d.ecco_id = i.ecco_id
left join imgsim.ecco_document od on od.ecco_id = o.ecco_id;
