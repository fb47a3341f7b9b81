-- In each decade, how many pictures appeared again, of how many groups, in how many books?
--   select * from imgsim.reuse_decade;
--
-- Again is in a later year than the first of the group: within one year nobody knows which came
-- first. A group that appeared twice in a decade is one of its `groups` and two of its `images`.
-- needs: reuse_event
create or replace view imgsim.reuse_decade as
with appeared as (
    select
        e.group_id,
        e.ecco_id,
        e.publication_year,
        coalesce(e.publication_decade, e.publication_year / 10 * 10) as decade,
        min(e.publication_year) over (partition by e.group_id) as first_year
    from imgsim.reuse_event e
)
select
    a.decade, -- the first year of the decade
    count(distinct a.group_id) as groups, -- how many groups appeared again
    count(distinct a.ecco_id) as books, -- in how many books
    count(*) as images -- how many pictures appeared again
from appeared a
where a.publication_year > a.first_year
group by a.decade
order by a.decade;
