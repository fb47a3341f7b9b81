-- What speaks for and against two pictures being of one block: local features, verifications,
-- scholars' verdicts, and the groups of re-use built from them.

-- Local features of a picture, found once; `imgsim/evidence/features.py` packs and unpacks them.
create table imgsim.local_feature (
    image_id bigint primary key references imgsim.image on delete cascade,
    version smallint not null,
    sha256 text not null,
    width integer not null,
    height integer not null,
    points integer not null,
    features bytea not null,
    ink bytea not null
);
alter table imgsim.local_feature alter column features set storage external;
alter table imgsim.local_feature alter column ink set storage external;

-- What comparing two pictures point by point, and line by line, has come to.
create table imgsim.verification (
    image_id bigint not null references imgsim.image on delete cascade,
    other_id bigint not null references imgsim.image on delete cascade,
    relation text not null check (
        relation in ('same block', 'same block in part', 'copy', 'unrelated', 'undecided')),
    probability double precision not null check (probability between 0 and 1),
    mirrored boolean not null,
    inliers integer not null,
    coverage double precision not null,
    other_coverage double precision not null,
    correlation double precision not null,
    transform double precision[],
    box integer[],
    other_box integer[],
    reason text,
    parameters jsonb not null,
    version smallint not null,
    verified_at timestamptz not null default now(),
    primary key (image_id, other_id),
    check (image_id < other_id),
    check (cardinality(transform) = 9),
    check (cardinality(box) = 4 and cardinality(other_box) = 4)
);
create index verification_other_id on imgsim.verification (other_id);

-- What scholars say of two pictures: nothing here is ever changed, the latest of each counts.
create table imgsim.verdict (
    verdict_id bigint generated always as identity primary key,
    image_id bigint not null references imgsim.image,
    other_id bigint not null references imgsim.image,
    verdict text not null check (verdict in ('same block', 'copy', 'same subject', 'unrelated')),
    note text,
    by text not null check (by <> ''),
    at timestamptz not null default now(),
    check (image_id < other_id)
);
create index verdict_image_id on imgsim.verdict (image_id, other_id);
create index verdict_other_id on imgsim.verdict (other_id);

-- Groups of re-use, as the last `imgsim group` built them. Ids stay where most members stay.
create sequence imgsim.group_id;

create table imgsim.group_state (
    group_id bigint primary key,
    images integer not null,
    links integer not null,
    density double precision not null,
    weakest double precision not null,
    weakest_id bigint not null,
    weakest_other_id bigint not null,
    bridge_id bigint,
    bridge_other_id bigint
);

create table imgsim.group_member (
    image_id bigint primary key references imgsim.image on delete cascade,
    group_id bigint not null references imgsim.group_state on delete cascade
);
create index group_member_group_id on imgsim.group_member (group_id);

create table imgsim.group_link (
    image_id bigint not null references imgsim.image on delete cascade,
    other_id bigint not null references imgsim.image on delete cascade,
    group_id bigint not null references imgsim.group_state on delete cascade,
    probability double precision not null,
    source text not null check (source in ('evidence', 'verdict')),
    primary key (image_id, other_id),
    check (image_id < other_id)
);
create index group_link_group_id on imgsim.group_link (group_id);

create table imgsim.group_run (
    run_id bigint generated always as identity primary key,
    least double precision not null,
    tightness double precision not null,
    parts boolean not null,
    links bigint not null,
    groups bigint not null,
    images bigint not null,
    last_verdict_id bigint not null default 0,
    at timestamptz not null default now()
);
