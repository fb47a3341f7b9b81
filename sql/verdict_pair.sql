-- Of each pair that scholars have judged: what do they agree on, or do they contradict each other?
--   select * from imgsim.verdict_pair where disputed;
--
-- The latest verdict of each scholar counts. Where two say different things the pair is disputed
-- and `verdict` is null; `said` tells who says what.
-- needs: verdict_current
create or replace view imgsim.verdict_pair as
select
    c.image_id,
    c.other_id,
    case when count(distinct c.verdict) = 1 then min(c.verdict) end as verdict,
    count(distinct c.verdict) > 1 as disputed,
    count(*) as scholars,
    string_agg(c.by || ': ' || c.verdict, '; ' order by c.by collate "C") as said,
    string_agg(c.note, '; ' order by c.by collate "C") as notes,
    max(c.at) as at
from imgsim.verdict_current c
group by c.image_id, c.other_id;
