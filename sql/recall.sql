-- How many of the true k nearest does the HNSW index find, and how long does it take?
--   select * from imgsim.recall('resnet18-print', k => 10, sample => 200);
--
-- One row for each width of the search (ef_search); `used` marks the one that `similar` takes for
-- this k. `milliseconds` and `exact_milliseconds` are medians of one ranking, inside the server.
-- The sample is the same every time.
-- needs: model_named, search_width, default_model, require_k
create or replace function imgsim.recall(
    model text default imgsim.default_model(),
    k integer default 10,
    sample integer default 200,
    ef_searches integer[] default array[20, 40, 100, 200, 400]
)
returns table (
    ef_search integer,
    used boolean,
    images bigint,
    recall numeric,
    milliseconds numeric,
    exact_milliseconds numeric
)
language plpgsql
as $$
declare
    m imgsim.model := imgsim.model_named(model);
    used_width integer := imgsim.search_width(k);
    width integer;
    queries bigint[];
    image bigint;
    vector @vector@.halfvec;
    began timestamptz;
    ids bigint[];
    truth jsonb := '{}';
    hits bigint;
    possible bigint := 0;
    times double precision[];
    exact_times double precision[] := '{}';
    ranking text := format(
        'select array_agg(n.image_id)
         from (
             select c.image_id
             from (
                 select e.image_id, e.embedding operator(@vector@.<=>) $1 as distance
                 from imgsim.%I e
                 where e.image_id <> $2
                 order by %%s, e.image_id
                 limit %%s
             ) c
             order by c.distance + 0, c.image_id
             limit $3
         ) n',
        m.embedding_table);
begin
    perform imgsim.require_k(k), imgsim.require_k(sample, 'sample');
    execute format(
        'select array_agg(q.image_id)
         from (select e.image_id from imgsim.%I e order by md5(e.image_id::text) limit $1) q',
        m.embedding_table)
        into queries
        using sample;

    foreach image in array coalesce(queries, '{}') loop
        execute format('select e.embedding from imgsim.%I e where e.image_id = $1', m.embedding_table)
            into vector using image;
        began := clock_timestamp();
        execute format(ranking, '(e.embedding operator(@vector@.<=>) $1) + 0', k) into ids using vector, image, k;
        exact_times := exact_times || 1000 * extract(epoch from clock_timestamp() - began)::float8;
        truth := jsonb_set(truth, array[image::text], to_jsonb(coalesce(ids, '{}')));
        possible := possible + coalesce(cardinality(ids), 0);
    end loop;

    for width in
        select distinct e from unnest(ef_searches || used_width) e where e between 1 and 1000 order by e
    loop
        execute format('set local hnsw.ef_search = %s', width);
        set local hnsw.iterative_scan = strict_order;
        hits := 0;
        times := '{}';
        foreach image in array coalesce(queries, '{}') loop
            execute format('select e.embedding from imgsim.%I e where e.image_id = $1', m.embedding_table)
                into vector using image;
            began := clock_timestamp();
            execute format(ranking, 'e.embedding operator(@vector@.<=>) $1', greatest(k, width - 2)) into ids using vector, image, k;
            times := times || 1000 * extract(epoch from clock_timestamp() - began)::float8;
            hits := hits + (
                select count(*) from unnest(ids) i where truth -> image::text @> to_jsonb(i));
        end loop;
        ef_search := width;
        used := width = used_width;
        images := coalesce(cardinality(queries), 0);
        recall := round(hits::numeric / nullif(possible, 0), 4);
        milliseconds := (
            select round(percentile_cont(0.5) within group (order by t)::numeric, 3) from unnest(times) t);
        exact_milliseconds := (
            select round(percentile_cont(0.5) within group (order by t)::numeric, 3)
            from unnest(exact_times) t);
        return next;
    end loop;
end
$$;
