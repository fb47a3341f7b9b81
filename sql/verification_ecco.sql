-- What is the evidence for each pair that was verified, both sides joined with their books?
--   select * from imgsim.verification_ecco
--   where relation = 'same block' and publication_year < other_publication_year;
--   select name, other_name, probability from imgsim.verification_ecco where mirrored;
-- needs: image_ecco, other_ecco
create or replace view imgsim.verification_ecco as
select
    v.image_id,
    i.name,
    v.relation,
    v.probability,
    v.other_id,
    o.other_name,
    v.mirrored,
    v.inliers,
    v.coverage,
    v.other_coverage,
    v.correlation,
    v.box,
    v.other_box,
    v.transform,
    v.reason,
    v.parameters,
    v.version,
    v.verified_at,
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
from imgsim.verification v
join imgsim.image_ecco i on i.image_id = v.image_id
join imgsim.other_ecco o on o.other_id = v.other_id;
