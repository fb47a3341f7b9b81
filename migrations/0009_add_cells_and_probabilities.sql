-- What a network's middle layer sees in a picture, kept beside its details; and a probability of
-- each relation. Features and verifications of earlier versions are made anew by `imgsim verify`.
alter table imgsim.local_feature
    add column cells bytea;
alter table imgsim.local_feature alter column cells set storage external;

alter table imgsim.verification
    add column copy_probability double precision check (copy_probability between 0 and 1),
    add column unrelated_probability double precision check (unrelated_probability between 0 and 1);
