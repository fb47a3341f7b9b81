-- Are all pairs of this model at or above a similarity stored? Its id, or an error; a warning
-- where they are older than the images.
--   select imgsim.require_pairs('resnet50', 0.94);
-- needs: model_named
create or replace function imgsim.require_pairs(model text, min_similarity double precision)
returns smallint
language plpgsql
stable
as $$
declare
    m imgsim.model := imgsim.model_named(model);
    state imgsim.pair_state;
begin
    select s.* into state from imgsim.pair_state s where s.model_id = m.model_id;
    if state.model_id is null or state.threshold > min_similarity then
        raise exception 'the pairs of % are stored %, and % was asked for',
            quote_literal(model),
            coalesce('from a similarity of ' || state.threshold, 'not at all'), min_similarity
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
