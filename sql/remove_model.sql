-- Removes a model with its vectors, neighbour lists and pairs.
--   select imgsim.remove_model('convnext_tiny');
-- needs: model_named
create or replace function imgsim.remove_model(model text)
returns void
language plpgsql
as $$
declare
    removed imgsim.model := imgsim.model_named(model);
begin
    delete from imgsim.model m where m.model_id = removed.model_id;
    execute format('drop table imgsim.%I', removed.embedding_table);
end
$$;
