-- From which similarity on do two pictures count as alike by a model? The number given, or where it
-- is null the model's own (`imgsim.model.threshold`).
--   select m.name, imgsim.threshold_of(m.name), m.threshold_from from imgsim.model m;
-- needs: model_named, require_between
create or replace function imgsim.threshold_of(
    model text,
    min_similarity double precision default null
)
returns double precision
language plpgsql
stable
as $$
declare
    m imgsim.model := imgsim.model_named(model);
begin
    if min_similarity is null then
        return m.threshold;
    end if;
    perform imgsim.require_between('min_similarity', min_similarity, -1, 1);
    return min_similarity;
end
$$;
