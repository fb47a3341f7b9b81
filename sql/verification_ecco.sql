-- What is the evidence for each pair that was verified, both sides joined with their books?
--   select * from imgsim.verification_ecco
--   where relation = 'same block' and publication_year < other_publication_year;
--   select name, other_name, probability from imgsim.verification_ecco where mirrored;
create or replace view imgsim.verification_ecco as
select
    v.image_id,
    i.name,
    v.relation,
    v.probability,
    v.other_id,
    o.name as other_name,
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
from imgsim.verification v
join imgsim.image i on i.image_id = v.image_id
join imgsim.image o on o.image_id = v.other_id
left join imgsim.ecco_document d on d.ecco_id = i.ecco_id
left join imgsim.ecco_document od on od.ecco_id = o.ecco_id;
