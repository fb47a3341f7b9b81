-- What does a threshold of each score mean: of the labelled pairs at or above it, how many are of
-- one block (precision), and how many of all that are does it find (recall)?
--   select * from imgsim.calibration(array['resnet18-print'], image_ids => array[7, 2, 3],
--       other_ids => array[9, 5, 4], same => array[true, false, true]);
--
-- The pairs are those given, or else the ones that scholars agree on (`imgsim.verdict_pair`,
-- `one_block`): same block is one kind, copy, same subject and unrelated are the other. The scores are those of
-- `imgsim.pair_scores`, their thresholds the model's own and the multiples of `step`, but for those
-- up to whose next there is no pair: what holds there holds at the next as well. A pair without a
-- score does not count for it; `labelled` and `labelled_same` are those that do. Beside precision and recall stand
-- their 95 % intervals (`imgsim.wilson`).
--
-- `proposed` marks the lowest threshold whose precision reaches `wanted`, `assured` the lowest at
-- which the lower end of its interval does too.
-- needs: verdict_pair, pair_scores, wilson, require_between
create or replace function imgsim.calibration(
    models text[] default null,
    wanted double precision default 0.95,
    step double precision default 0.01,
    image_ids bigint[] default null,
    other_ids bigint[] default null,
    same boolean[] default null
)
returns table (
    score text,
    threshold double precision,
    pairs bigint,
    same_block bigint,
    "precision" double precision,
    precision_low double precision,
    precision_high double precision,
    recall double precision,
    recall_low double precision,
    recall_high double precision,
    labelled bigint,
    labelled_same bigint,
    proposed boolean,
    assured boolean
)
language plpgsql
stable
as $$
begin
    perform imgsim.require_between('step', step, 0.0001, 1), imgsim.require_between('wanted', wanted, 0, 1);
    if image_ids is null then
        select array_agg(v.image_id), array_agg(v.other_id), array_agg(v.one_block)
        into image_ids, other_ids, same
        from imgsim.verdict_pair v
        where v.one_block is not null;
    end if;
    if coalesce(cardinality(image_ids), 0) = 0 then
        raise exception 'there are no verdicts to measure with'
            using errcode = 'no_data_found',
                  hint = 'give some: imgsim verdict IMAGE IMAGE VERDICT; or a table of labelled pairs: --labels FILE';
    end if;
    return query
    with scored as materialized (
        select
            s.score,
            s.value,
            l.same,
            min(s.number) over (partition by s.score) as place
        from imgsim.pair_scores(image_ids, other_ids, models)
            with ordinality as s (score, image_id, other_id, value, number)
        join unnest(image_ids, other_ids, calibration.same) as l (image_id, other_id, same)
            on l.image_id = s.image_id and l.other_id = s.other_id
    ), total as (
        select s.score, s.place, count(*) as labelled, count(*) filter (where s.same) as labelled_same
        from scored s
        group by s.score, s.place
    ), edge as (
        select s.score, round((floor(s.value / step) * step)::numeric, 6)::double precision as threshold
        from scored s
        union
        select m.name, m.threshold
        from total t
        join imgsim.model m on m.name = t.score
    ), edges as (
        select e.score, array_agg(e.threshold order by e.threshold) as thresholds
        from edge e
        group by e.score
    ), reached as (
        select s.score, width_bucket(s.value, e.thresholds) as place, count(*) as pairs,
            count(*) filter (where s.same) as same
        from scored s
        join edges e on e.score = s.score
        group by s.score, width_bucket(s.value, e.thresholds)
    ), counted as (
        select
            e.score,
            t.threshold,
            coalesce(sum(r.pairs) over above, 0)::bigint as pairs,
            coalesce(sum(r.same) over above, 0)::bigint as same
        from edges e
        cross join lateral unnest(e.thresholds) with ordinality as t (threshold, place)
        left join reached r on r.score = e.score and r.place = t.place
        window above as (partition by e.score order by t.threshold desc)
    ), measured as (
        select
            c.*,
            t.labelled,
            t.labelled_same,
            t.place,
            c.same::double precision / nullif(c.pairs, 0) as p,
            imgsim.wilson(c.same, c.pairs) as p_range,
            c.same::double precision / nullif(t.labelled_same, 0) as r,
            imgsim.wilson(c.same, t.labelled_same) as r_range
        from counted c
        join total t on t.score = c.score
    )
    select
        m.score, m.threshold, m.pairs, m.same,
        m.p, m.p_range[1], m.p_range[2],
        m.r, m.r_range[1], m.r_range[2],
        m.labelled, m.labelled_same,
        m.threshold = min(m.threshold) filter (where m.p >= wanted) over of_score is true,
        m.threshold = min(m.threshold) filter (where m.p_range[1] >= wanted) over of_score is true
    from measured m
    window of_score as (partition by m.score)
    order by m.place, m.threshold;
end
$$;
