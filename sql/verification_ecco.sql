-- What is the evidence for each pair that was verified, both sides joined with their books?
--   select * from imgsim.verification_ecco
--   where relation = 'same block' and publication_year < other_publication_year;
--   select name, other_name, probability from imgsim.verification_ecco where mirrored;
-- needs: two_images_ecco
create or replace view imgsim.verification_ecco as
select
    v.image_id,
    t.name,
    v.relation,
    v.probability,
    v.other_id,
    t.other_name,
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
from imgsim.verification v
join imgsim.two_images_ecco t on t.image_id = v.image_id and t.other_id = v.other_id;
