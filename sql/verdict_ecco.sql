-- Every verdict ever given, both sides joined with their books; `imgsim verdict --load` reads this.
--   select * from imgsim.verdict_ecco where by = 'Mary Jones' and at >= '2026-01-01';
--
-- `image` and `other` are what the two can be called by in another store of the same pictures.
-- needs: image_called, image_ecco, other_ecco
create or replace view imgsim.verdict_ecco as
select
    imgsim.image_called(v.image_id) as image, -- what the image can be called in another store: name, path or id
    imgsim.image_called(v.other_id) as other, -- what the other can be called in another store
    v.verdict,
    v.note,
    v.by,
    v.at,
    v.verdict_id,
    v.image_id,
    v.other_id,
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
    i.path,
    i.link,
    o.other_path,
    o.other_link
from imgsim.verdict v
join imgsim.image_ecco i on i.image_id = v.image_id
join imgsim.other_ecco o on o.other_id = v.other_id;
