-- Other research tables, each in the schema research, and a list of what was loaded there.

create schema if not exists research;

create table imgsim.research_table (
    name text primary key
        check (name ~ '^[a-z_][a-z0-9_]{0,62}$'),
    key_column text not null,
    key_unique boolean not null,
    rows bigint not null,
    columns integer not null,
    source text not null,
    imgsim_version text not null,
    loaded_at timestamptz not null default now()
);
