-- For which threshold and which revision of a model's vectors its pairs were computed.
create table imgsim.pair_state (
    model_id smallint primary key references imgsim.model on delete cascade,
    threshold double precision not null check (threshold > -1 and threshold <= 1),
    images bigint not null,
    revision bigint not null,
    computed_at timestamptz not null default now()
);
