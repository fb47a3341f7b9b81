-- Every verdict ever given, both sides joined with their books; `imgsim verdict --load` reads this.
--   select * from imgsim.verdict_ecco where by = 'Mary Jones' and at >= '2026-01-01';
--
-- `image` and `other` are what the two can be called by in another store of the same pictures.
-- needs: image_called, two_images_ecco
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
    t.path,
    t.link,
    t.other_path,
    t.other_link
from imgsim.verdict v
join imgsim.two_images_ecco t on t.image_id = v.image_id and t.other_id = v.other_id;
