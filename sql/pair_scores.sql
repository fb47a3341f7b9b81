-- How alike are these pairs, by every score there is? The cosine of each model that has vectors of
-- both, its normalised score where lists are stored, and the probability that `imgsim verify` found.
--   select * from imgsim.pair_scores(array[7, 2], array[9, 5]);
--
-- Computed from the vectors, whether the pairs are stored or not. The scores are called `resnet18-print`,
-- `resnet18-print normalised`, … and `evidence`.
-- needs: model_named, background, normalised, cosine
create or replace function imgsim.pair_scores(
    image_ids bigint[],
    other_ids bigint[],
    models text[] default null
)
returns table (score text, image_id bigint, other_id bigint, value double precision)
language plpgsql
stable
as $$
declare
    chosen text[] := coalesce(models, array(select m.name from imgsim.model m order by m.model_id));
    one imgsim.model;
    model_name text;
begin
    foreach model_name in array chosen loop
        one := imgsim.model_named(model_name);
        -- The vectors are fetched first and joined then, which a sharded database can do too.
        return query execute format('
            with vector as materialized (
                select e.image_id, e.embedding
                from imgsim.%I e
                where e.image_id = any($1) or e.image_id = any($2)
            ), known as materialized (
                select l.image_id, imgsim.background(l.similarities) as background
                from imgsim.neighbour_list l
                where l.model_id = $3 and (l.image_id = any($1) or l.image_id = any($2))
            ), compared as materialized (
                select p.image_id, p.other_id, p.place, imgsim.cosine(v.embedding, w.embedding) as cosine
                from unnest($1, $2) with ordinality as p (image_id, other_id, place)
                join vector v on v.image_id = p.image_id
                join vector w on w.image_id = p.other_id
            ), scored as (
                select c.place, false as is_normalised, c.image_id, c.other_id, c.cosine as value
                from compared c
                union all
                select c.place, true, c.image_id, c.other_id,
                    imgsim.normalised(c.cosine, b.background, ob.background)
                from compared c
                left join known b on b.image_id = c.image_id
                left join known ob on ob.image_id = c.other_id
            )
            select $4 || case when s.is_normalised then '' normalised'' else '''' end,
                s.image_id, s.other_id, s.value
            from scored s
            where s.value is not null
            order by s.is_normalised, s.place',
            one.embedding_table)
            using image_ids, other_ids, one.model_id, one.name;
    end loop;
    return query
    select 'evidence', p.image_id, p.other_id, v.probability
    from unnest(image_ids, other_ids) with ordinality as p (image_id, other_id, place)
    join imgsim.verification v
        on v.image_id = least(p.image_id, p.other_id)
        and v.other_id = greatest(p.image_id, p.other_id)
    order by p.place;
end
$$;
