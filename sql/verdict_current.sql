-- What does each scholar say now of each pair? The latest verdict of each; the table has them all.
--   select * from imgsim.verdict_current where by = 'Mary Jones' order by at desc;
create or replace view imgsim.verdict_current as
select distinct on (v.image_id, v.other_id, v.by)
    v.image_id,
    v.other_id,
    v.verdict,
    v.note,
    v.by,
    v.at,
    v.verdict_id
from imgsim.verdict v
order by v.image_id, v.other_id, v.by, v.at desc, v.verdict_id desc;
