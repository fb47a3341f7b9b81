-- What is the evidence for each pair that was verified, both sides joined with their books?
--   select * from imgsim.verification_ecco
--   where relation = 'same block' and publication_year < other_publication_year;
--   select name, other_name, relation, probability from imgsim.verification_ecco where mirrored;
--   select name, other_name, angle from imgsim.verification_ecco where abs(angle) > 90;
--
-- `same_group`: other pictures make one block of the two, whatever the pair itself tells.
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
    o.other_link,
    v.copy_probability,
    v.unrelated_probability,
    degrees(
        atan2(
            (case when v.mirrored then -1 else 1 end) * v.transform[4] - v.transform[2],
            (case when v.mirrored then -1 else 1 end) * v.transform[1] + v.transform[5]
        )
    ) as angle, -- by how many degrees the image is turned, clockwise, to lie upon the other
    sqrt(abs(v.transform[1] * v.transform[5] - v.transform[2] * v.transform[4])) as scale, -- how long a pixel of the image is on the other
    exists (
        select
        from imgsim.group_member m
        join imgsim.group_member om using (group_id)
        where m.image_id = v.image_id and om.image_id = v.other_id
    ) as same_group -- whether one group holds both, be it by way of others
from imgsim.verification v
join imgsim.image_ecco i on i.image_id = v.image_id
join imgsim.other_ecco o on o.other_id = v.other_id;
