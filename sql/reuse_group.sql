-- Which pictures were re-used: in how many books, where, from when to when?
--   select * from imgsim.reuse_group where books > 1 order by span desc nulls last limit 20;
--
-- Books, works, places and years are those that are known; `undated` counts the images of unknown
-- year. `weakest` is the probability of the weakest link of a group, without which it would fall
-- apart, with the names of its two images; `bridge_name` and `bridge_other_name` are the link whose
-- loss alone would divide the group, and most evenly, null where no single link would.
-- needs: reuse_event
create or replace view imgsim.reuse_group as
with appeared as (
    select
        e.group_id,
        count(*) as images,
        count(distinct e.ecco_id) as books,
        count(distinct e.work_id) as works,
        count(distinct e.publication_place) as places,
        min(e.publication_year) as first_year,
        max(e.publication_year) as last_year,
        count(*) filter (where e.publication_year is null) as undated,
        min(e.appearance) filter (where e.is_first) as first_appearance,
        max(e.appearance) filter (where e.is_last) as last_appearance
    from imgsim.reuse_event e
    group by e.group_id
)
select
    s.group_id,
    a.images, -- how many images the group has
    a.books, -- in how many books, of those that are known
    a.works, -- of how many works
    a.places, -- in how many places
    a.first_year, -- the first year that is known
    a.last_year, -- the last year that is known
    a.last_year - a.first_year as span, -- years from the first to the last
    f.ecco_full_title as first_title, -- the title of the first book
    f.publication_place as first_place, -- where the first book appeared
    l.ecco_full_title as last_title, -- the title of the last book
    l.publication_place as last_place, -- where the last book appeared
    f.ecco_id as first_ecco_id, -- the ECCO document of the first book
    l.ecco_id as last_ecco_id, -- the ECCO document of the last book
    a.undated, -- how many images are of no known year
    s.links,
    s.density,
    s.weakest,
    w.name as weakest_name, -- one image of the weakest link
    wo.name as weakest_other_name, -- the other image of the weakest link
    b.name as bridge_name, -- one image of the link whose loss alone would divide the group
    bo.name as bridge_other_name -- the other image of that link
from appeared a
join imgsim.group_state s using (group_id)
left join imgsim.reuse_event f on f.group_id = a.group_id and f.appearance = a.first_appearance
left join imgsim.reuse_event l on l.group_id = a.group_id and l.appearance = a.last_appearance
left join imgsim.image w on w.image_id = s.weakest_id
left join imgsim.image wo on wo.image_id = s.weakest_other_id
left join imgsim.image b on b.image_id = s.bridge_id
left join imgsim.image bo on bo.image_id = s.bridge_other_id
where a.images > 1;
