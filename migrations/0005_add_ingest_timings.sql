-- For each stage of an ingest: seconds at work, how many items, and for how long it was awaited.
alter table imgsim.ingest_run add column timings jsonb not null default '{}';
