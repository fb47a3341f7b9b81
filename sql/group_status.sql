-- How were the groups of re-use built, and what has changed since?
--   select * from imgsim.group_status;
--
-- One row, or none before the first `imgsim group`. `verified_since` and `judged_since` count
-- verifications and verdicts that came later, `removed_since` images that have left their groups.
create or replace view imgsim.group_status as
select
    r.at,
    r.least,
    r.tightness,
    r.parts,
    r.links,
    r.groups,
    r.images,
    (select count(*) from imgsim.verification v where v.verified_at > r.at) as verified_since, -- verifications that came later
    (select count(*) from imgsim.verdict v where v.verdict_id > r.last_verdict_id) as judged_since, -- verdicts that came later
    r.images - (select count(*) from imgsim.group_member) as removed_since -- images that have left their groups since
from imgsim.group_run r
order by r.run_id desc
limit 1;
