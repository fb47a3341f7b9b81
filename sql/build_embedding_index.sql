-- Builds a model's HNSW index where it is missing or invalid; whether anything was built.
--   select imgsim.build_embedding_index('resnet18-print');
--
-- The graph should fit into maintenance_work_mem, which the caller sets: some 5 kB for each vector
-- of 2,048 dimensions. It is built more widely (ef_construction) than pgvector does by default. That
-- takes up to twice as long, and a search then finds at ef_search 20 what it else finds at 100.
-- needs: model_named, embedding_index
create or replace function imgsim.build_embedding_index(model text)
returns boolean
language plpgsql
as $$
declare
    m imgsim.model := imgsim.model_named(model);
    index_name text := m.embedding_table || '_hnsw';
begin
    -- One builder at a time; whoever comes second finds the index there.
    perform pg_advisory_xact_lock(hashtext('imgsim.build_embedding_index'), m.model_id);
    if imgsim.embedding_index(model) in ('valid', 'none') then
        return false;
    end if;
    if imgsim.embedding_index(model) = 'invalid' then
        execute format('drop index imgsim.%I', index_name);
    end if;
    execute format(
        'create index %I on imgsim.%I using hnsw (embedding @vector@.halfvec_cosine_ops)
            with (ef_construction = 200)',
        index_name, m.embedding_table);
    return true;
end
$$;
