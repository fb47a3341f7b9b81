-- Neighbour lists as one row an image, pairs that can be added to, and when vectors last went.

-- The revision of a model at which vectors of its were last replaced or taken out. What was
-- computed from vectors read before that may name images as they are no more.
alter table imgsim.model add column last_removal bigint not null default 0;

create table imgsim.neighbour_list (
    model_id smallint not null references imgsim.model on delete cascade,
    image_id bigint not null references imgsim.image on delete cascade,
    other_ids bigint[] not null,
    similarities double precision[] not null,
    primary key (model_id, image_id),
    check (cardinality(other_ids) = cardinality(similarities))
);

insert into imgsim.neighbour_list (model_id, image_id, other_ids, similarities)
select n.model_id, n.image_id,
    array_agg(n.other_id order by n.rank), array_agg(n.similarity order by n.rank)
from imgsim.neighbour n
group by n.model_id, n.image_id;

-- sql/ makes both anew, as views. A view of somebody's own on this table stops the migration here.
drop view if exists imgsim.neighbour_ecco;
drop table imgsim.neighbour;

alter table imgsim.neighbour_state add column recall double precision;

-- Which images have been compared with all others here, and from which threshold their pairs are
-- stored. Every two of them: from the higher of their thresholds.
create table imgsim.pair_image (
    model_id smallint not null references imgsim.model on delete cascade,
    image_id bigint not null references imgsim.image on delete cascade,
    threshold double precision not null,
    primary key (model_id, image_id)
);

do $$
declare
    m imgsim.model;
begin
    for m in select * from imgsim.model loop
        if exists (
            select from imgsim.pair_state s where s.model_id = m.model_id and s.revision = m.revision
        ) then
            execute format(
                'insert into imgsim.pair_image (model_id, image_id, threshold)
                 select s.model_id, e.image_id, s.threshold
                 from imgsim.%I e, imgsim.pair_state s
                 where s.model_id = $1', m.embedding_table)
                using m.model_id;
        else
            delete from imgsim.pair p where p.model_id = m.model_id;
            delete from imgsim.pair_state s where s.model_id = m.model_id;
        end if;
    end loop;
end
$$;
