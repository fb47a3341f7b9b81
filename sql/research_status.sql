-- Which research tables were loaded, by which key, from where, and when?
--   select * from imgsim.research_status;
--
-- One that was dropped since is not listed.
create or replace view imgsim.research_status as
select
    t.name,
    t.key_column as key,
    t.key_unique,
    t.rows,
    t.columns,
    t.source,
    t.loaded_at
from imgsim.research_table t
where to_regclass(format('research.%I', t.name)) is not null
order by t.name;

-- Only a schema's owner may comment on it: it may be an administrator's.
do $$
begin
    if pg_has_role((select n.nspowner from pg_namespace n where n.nspname = 'research'), 'usage') then
        comment on schema research is 'Research tables brought in with imgsim table load, ids as text';
    end if;
end
$$;
comment on table imgsim.research_table is 'One row per table of the schema research that imgsim loaded';
comment on column imgsim.research_table.name is 'The table, in the schema research';
comment on column imgsim.research_table.key_column is 'Its column by which it can be joined';
comment on column imgsim.research_table.key_unique is 'Whether each key stands in one row only';
comment on column imgsim.research_table.rows is 'How many rows were loaded';
comment on column imgsim.research_table.columns is 'How many columns it has';
comment on column imgsim.research_table.source is 'The file that it was loaded from';
comment on column imgsim.research_table.imgsim_version is 'The version of imgsim that loaded it';
comment on column imgsim.research_table.loaded_at is 'When it was loaded';
