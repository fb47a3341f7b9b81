-- Which stored images are like this one, given by its id? See `imgsim.nearest` for the arguments.
-- Where its neighbour list is stored, exact, as old as the vectors, and long enough, the k nearest
-- are read from it.
--   select s.* from unnest(array[7, 9]) as q (id) cross join lateral imgsim.similar(q.id, k => 3) s;
-- needs: nearest, neighbour, model_named, default_model, require_k
create or replace function imgsim.similar(
    id bigint,
    model text default imgsim.default_model(),
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
    path text,
    normalised double precision
)
language plpgsql
as $$
declare
    m imgsim.model := imgsim.model_named(model);
    wanted integer := coalesce(k, 10);
    lists imgsim.neighbour_state;
    query @vector@.halfvec;
    ids bigint[];
    similarities double precision[];
    normalised_similarities double precision[];
begin
    perform imgsim.require_k(wanted);
    if min_similarity is null
        and not (exact or other_documents_only or other_works_only or earlier_only)
    then
        select s.* into lists
        from imgsim.neighbour_state s
        where s.model_id = m.model_id and s.revision = m.revision and s.recall is null;
    end if;
    -- The lists are looked at in a statement of their own, which is planned only once there are any:
    -- the plan for an empty table would be kept, and read all of it.
    if lists.k >= least(wanted, lists.images - 1) then
        select array_agg(i.image_id order by n.rank), array_agg(n.similarity order by n.rank),
            array_agg(n.normalised order by n.rank)
        into ids, similarities, normalised_similarities
        from imgsim.neighbour n
        join imgsim.image i on i.image_id = n.other_id
        where n.model_id = m.model_id and n.image_id = id and n.rank <= wanted;
        if cardinality(ids) >= least(wanted, lists.images - 1) then
            return query
            select r.rank::integer, i.image_id, i.name, r.similarity, i.ecco_id, i.page_number,
                i.path, r.normalised
            from unnest(ids, similarities, normalised_similarities)
                with ordinality as r (image_id, similarity, normalised, rank)
            join imgsim.image i using (image_id)
            order by r.rank;
            return;
        end if;
    end if;

    execute format(
        'select e.embedding from imgsim.%I e where e.image_id = $1',
        m.embedding_table)
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
