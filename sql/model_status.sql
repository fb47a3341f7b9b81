-- What is stored of each model, and are its index and neighbour lists in order? From
-- which similarity on does it call two pictures alike?
--   select * from imgsim.model_status();
-- needs: embedding_index
create or replace function imgsim.model_status()
returns table (
    model text,
    architecture text,
    dimension integer,
    weights text,
    preprocess text,
    embedding_table text,
    embeddings bigint,
    index_state text,
    neighbour_k integer,
    neighbours_current boolean,
    threshold double precision,
    threshold_from text
)
language plpgsql
stable
as $$
declare
    m imgsim.model;
    n imgsim.neighbour_state;
begin
    for m in select * from imgsim.model order by model_id loop
        execute format('select count(*) from imgsim.%I', m.embedding_table) into embeddings;
        select s.* into n from imgsim.neighbour_state s where s.model_id = m.model_id;
        model := m.name;
        architecture := m.architecture;
        dimension := m.dimension;
        weights := m.weights;
        preprocess := m.preprocess;
        embedding_table := m.embedding_table;
        index_state := imgsim.embedding_index(m.name);
        neighbour_k := n.k;
        neighbours_current := coalesce(n.revision = m.revision, false);
        threshold := m.threshold;
        threshold_from := m.threshold_from;
        return next;
    end loop;
end
$$;
