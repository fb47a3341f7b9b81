-- The state of a model's HNSW index: valid, invalid (a build was interrupted), missing,
-- or none where the vectors are too long for one (over 4,000 dimensions).
--   select imgsim.embedding_index('resnet18-print');
-- needs: model_named
create or replace function imgsim.embedding_index(model text)
returns text
language plpgsql
stable
as $$
declare
    m imgsim.model := imgsim.model_named(model);
    is_valid boolean;
begin
    if m.dimension > 4000 then
        return 'none';
    end if;
    select x.indisvalid into is_valid
    from pg_catalog.pg_index x
    where x.indexrelid = to_regclass(format('imgsim.%I', m.embedding_table || '_hnsw'));
    return case is_valid when true then 'valid' when false then 'invalid' else 'missing' end;
end
$$;
