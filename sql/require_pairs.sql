-- Are all pairs of this model at or above a similarity stored? Its id, or an error; a warning
-- where they are older than the images.
--   select imgsim.require_pairs('resnet18-print', 0.94);
-- needs: model_named, require_between
create or replace function imgsim.require_pairs(model text, min_similarity double precision)
returns smallint
language plpgsql
stable
as $$
declare
    m imgsim.model := imgsim.model_named(model);
    state imgsim.pair_state;
begin
    perform imgsim.require_between('min_similarity', min_similarity, -1, 1);
    select s.* into state from imgsim.pair_state s where s.model_id = m.model_id;
    if state.model_id is null or state.threshold > min_similarity then
        raise exception '%; % was requested',
            case
                when state.model_id is null then format('no pairs are stored for the model %L', model)
                else format('the pairs of %L are stored from a similarity of %s', model, state.threshold)
            end,
            min_similarity
            using errcode = 'object_not_in_prerequisite_state',
                  hint = format('compute them with: imgsim pairs --threshold %s --model %s',
                                min_similarity, model);
    end if;
    if state.revision <> m.revision then
        raise warning 'the pairs of % are older than its images', quote_literal(model)
            using hint = 'bring them up to date with: imgsim pairs';
    end if;
    return m.model_id;
end
$$;
