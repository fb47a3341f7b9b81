-- Which stored images are like this one, given by its id? See `imgsim.nearest` for the arguments.
--   select s.* from unnest(array[7, 9]) as q (id) cross join lateral imgsim.similar(q.id, k => 3) s;
-- needs: nearest, model_named
create or replace function imgsim.similar(
    id bigint,
    model text default 'resnet50',
    k integer default null,
    min_similarity double precision default null,
    other_documents_only boolean default false,
    exact boolean default false,
    other_works_only boolean default false,
    earlier_only boolean default false
)
returns table (
    rank integer,
    image_id bigint,
    name text,
    similarity double precision,
    ecco_id text,
    page_number integer,
    path text
)
language plpgsql
as $$
declare
    query halfvec;
begin
    execute format(
        'select e.embedding from imgsim.%I e where e.image_id = $1',
        (imgsim.model_named(model)).embedding_table)
        into query
        using id;
    if query is null then
        raise exception 'image % has no vector of the model %', id, quote_literal(model)
            using errcode = 'no_data_found',
                  hint = format('embed it with: imgsim ingest --model %s PATH', model);
    end if;
    return query
    select n.*
    from imgsim.nearest(
        query, model, k, min_similarity, other_documents_only, exact, id,
        other_works_only, earlier_only) n;
end
$$;
