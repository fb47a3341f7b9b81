-- Over the decades, from where to where were pictures re-used?
--   select * from imgsim.reuse_flow where from_place <> to_place order by groups desc limit 20;
--
-- One row for each decade of a later appearance, the place where the picture first appeared, and
-- the place of that later one, which may be the same. `groups`, `books` and `images` count what
-- appeared there. Later is a later year: within one year nobody knows which came first. A place is
-- null where it is not known, or where a picture first appeared in several places in one year.
-- needs: reuse_event
create or replace view imgsim.reuse_flow as
with origin as (
    select
        e.group_id,
        min(e.publication_year) as first_year,
        case
            when count(distinct e.publication_place) = 1 and count(e.publication_place) = count(*)
            then min(e.publication_place)
        end as place
    from imgsim.reuse_event e
    where e.is_first
    group by e.group_id
)
select
    coalesce(e.publication_decade, e.publication_year / 10 * 10) as decade, -- the first year of the decade of the later appearance
    o.place as from_place, -- where the pictures appeared first
    e.publication_place as to_place, -- where they appeared later
    count(distinct e.group_id) as groups, -- how many groups appeared there
    count(distinct e.ecco_id) as books, -- in how many books
    count(*) as images -- how many pictures appeared there
from origin o
join imgsim.reuse_event e on e.group_id = o.group_id and e.publication_year > o.first_year
group by 1, 2, 3
order by 1, 2, 3;
