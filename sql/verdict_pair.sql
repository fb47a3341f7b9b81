-- Of each pair that scholars have judged: what do they agree on, or do they contradict each other?
--   select * from imgsim.verdict_pair where disputed;
--
-- The latest verdict of each scholar counts. Where two say different things the pair is disputed
-- and `verdict` is null; `said` tells who says what. `one_block` is what they agree on as to that: a
-- copy to one and unrelated to another is not of one block. Null where some say it is, some not.
-- needs: verdict_current
create or replace view imgsim.verdict_pair as
select
    c.image_id,
    c.other_id,
    case when count(distinct c.verdict) = 1 then min(c.verdict) end as verdict, -- what the scholars agree on; null where they do not
    count(distinct c.verdict) > 1 as disputed, -- whether two scholars say different things
    count(*) as scholars, -- how many have judged the pair
    string_agg(c.by || ': ' || c.verdict, '; ' order by c.by collate "C") as said, -- who says what
    string_agg(c.note, '; ' order by c.by collate "C") as notes, -- their notes
    max(c.at) as at, -- when the latest verdict was given
    case
        when bool_and(c.verdict = 'same block') then true
        when not bool_or(c.verdict = 'same block') then false
    end as one_block -- whether they agree that both are of one block, or that they are not; else null
from imgsim.verdict_current c
group by c.image_id, c.other_id;
