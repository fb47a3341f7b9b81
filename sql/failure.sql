-- Which files could not be taken in, at which stage, and why?
--   select * from imgsim.failure where reason like 'truncated%';
create or replace view imgsim.failure as
select
    f.path,
    f.frame,
    f.stage,
    f.reason,
    f.bytes,
    f.failed_at,
    f.run_id
from imgsim.ingest_failure f
order by f.path, f.frame;
