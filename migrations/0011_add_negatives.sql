-- Negatives of stored prints: which pictures have a dark ground, and which positive each was found
-- to be a negative of, so that no run looks twice.
alter table imgsim.local_feature
    add column dark_ground boolean;

create table imgsim.negative (
    image_id bigint primary key references imgsim.image on delete cascade,
    positive_id bigint references imgsim.image on delete cascade,
    similarity double precision,
    relation text,
    probability double precision check (probability between 0 and 1),
    looked_at timestamptz not null default clock_timestamp(),
    check ((positive_id is null) = (relation is null)),
    check (positive_id <> image_id)
);
create index negative_positive_id on imgsim.negative (positive_id);

-- Lists that were filled through the index hold pgvector's scores in single precision, which differ
-- from those of searches and pairs in the seventh decimal. They are filled again when they are needed.
delete from imgsim.neighbour_list
where model_id in (
    select s.model_id
    from imgsim.neighbour_state s
    where s.recall is not null
);
delete from imgsim.neighbour_state
where recall is not null;
