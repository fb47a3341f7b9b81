-- Which two pictures are taken for impressions of one block, and how sure is it?
--   select * from imgsim.accepted_link(least_probability => 0.9) where source = 'verdict';
--
-- From the evidence come the pairs that reach that probability, with `parts` also those of
-- which only a part is of one block. Verdicts win: a pair on which the scholars agree, that it is
-- of one block or that it is not, is theirs to decide. Else the evidence decides.
-- needs: verdict_pair, require_between
create or replace function imgsim.accepted_link(
    least_probability double precision default 0.9,
    parts boolean default false
)
returns table (
    image_id bigint,
    other_id bigint,
    probability double precision,
    source text
)
language plpgsql
stable
as $$
begin
    perform imgsim.require_between('least_probability', least_probability, 0, 1);
    return query
    select v.image_id, v.other_id, 1.0::double precision, 'verdict'
    from imgsim.verdict_pair v
    where v.one_block
    union all
    select e.image_id, e.other_id, e.probability, 'evidence'
    from imgsim.verification e
    left join imgsim.verdict_pair v
        on v.image_id = e.image_id
        and v.other_id = e.other_id
        and v.one_block is not null
    where v.image_id is null
        and (e.relation = 'same block' or (accepted_link.parts and e.relation = 'same block in part'))
        and e.probability >= accepted_link.least_probability;
end
$$;
