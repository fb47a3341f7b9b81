-- Are there neighbour lists of at least k for this model? Its id, or an error; a warning where
-- they are older than the images, or not exact.
--   select imgsim.require_neighbours('resnet18-print', 4);
-- needs: model_named, require_k
create or replace function imgsim.require_neighbours(model text, k integer)
returns smallint
language plpgsql
stable
as $$
declare
    m imgsim.model := imgsim.model_named(model);
    state imgsim.neighbour_state;
begin
    perform imgsim.require_k(k);
    select s.* into state from imgsim.neighbour_state s where s.model_id = m.model_id;
    if state.model_id is null or (state.k < require_neighbours.k and state.k < state.images - 1) then
        raise exception '%; % were requested',
            case
                when state.model_id is null
                then format('no neighbour lists are stored for the model %L', model)
                else format('the neighbour lists of %L hold %s neighbours', model, state.k)
            end,
            require_neighbours.k
            using errcode = 'object_not_in_prerequisite_state',
                  hint = format('fill them with: imgsim neighbours -k %s --model %s', require_neighbours.k, model);
    end if;
    if state.revision <> m.revision then
        raise warning 'the neighbour lists of % are older than its images', quote_literal(model)
            using hint = 'bring them up to date with: imgsim neighbours';
    end if;
    if state.recall is not null then
        raise warning 'the neighbour lists of % were found through its index: recall %',
            quote_literal(model), round(state.recall::numeric, 4)
            using hint = 'for exact ones: imgsim neighbours';
    end if;
    return m.model_id;
end
$$;
