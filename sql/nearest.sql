-- Which stored images are nearest to a vector? What `similar` and the command line rank with.
--   select * from imgsim.nearest(
--       (select embedding from imgsim.embedding_resnet18_print where image_id = 7), 'resnet18-print', k => 5);
--
-- Every similarity is that of `imgsim.cosine`, and `min_similarity` is compared with it.
-- With `min_similarity` the answer is complete: every image at or above it (the first k, if k is
-- given), found by comparing with all. Without, the k nearest (10) come from the HNSW index, or
-- exactly with `exact => true`; where a filter leaves the index short of k, it is exact as well.
-- `normalised` is the similarity read against the images' backgrounds, where their neighbour lists
-- are stored (`imgsim.normalised`).
--
-- `query_image_id` is left out of the answer. Of its book are left out: with
-- `other_documents_only` all pictures, with `other_works_only` those of other editions too; with
-- `earlier_only` only books published before it are searched. All this happens inside the search.
--
-- The vector comes in as a variable and ranks with the bare operator: so, and only so, the index
-- is used, on every shard too. It proposes; `imgsim.cosine` decides, and equal ones are in the order
-- of `image_id`, as in the stored lists.
-- needs: model_named, image_ecco, search_width, default_model, backgrounds, normalised, cosine, require_k, require_between
create or replace function imgsim.nearest(
    query @vector@.halfvec,
    model text default imgsim.default_model(),
    k integer default null,
    min_similarity double precision default null,
    other_documents_only boolean default false,
    exact boolean default false,
    query_image_id bigint default null,
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
    -- No more than a billion, to which something can be added.
    wanted integer := coalesce(case when k > 1e9 then 1e9 else k end, case when min_similarity is null then 10 end);
    width integer := imgsim.search_width(wanted);
    book imgsim.image_ecco;
    conditions text[] := '{}';
    joins text := '';
    ranking text;
    ef_search_before text := current_setting('hnsw.ef_search', true);
    iterative_scan_before text := current_setting('hnsw.iterative_scan', true);
    -- How far pgvector's distance may be off, which adds up in single precision: by n 2^-24 for its
    -- product and as much for its norms (Higham, Accuracy and Stability of Numerical Algorithms, 3.1),
    -- and some more for the rounding to seven decimals.
    off double precision := (m.dimension + 8) * 2::double precision ^ -23;
    furthest double precision := coalesce(1 - min_similarity + off, 'infinity');
    -- So many more than wanted are looked at: beyond them there are seldom any so nearly equal.
    spare constant integer := 64;
    ids bigint[];
    distances double precision[];
    similarities double precision[];
begin
    if k is not null then
        perform imgsim.require_k(k);
    end if;
    if min_similarity is not null then
        perform imgsim.require_between('min_similarity', min_similarity, -1, 1);
    end if;
    if query_image_id is not null then
        conditions := conditions || 'e.image_id <> $2'::text;
    end if;
    if other_documents_only or other_works_only or earlier_only then
        select b.* into book from imgsim.image_ecco b where b.image_id = query_image_id;
    end if;
    if (other_documents_only or other_works_only) and book.ecco_id is not null then
        conditions := conditions || 'i.ecco_id is distinct from $3'::text;
    end if;
    if other_works_only and book.work_id is not null then
        conditions := conditions || 'd.work_id is distinct from $6'::text;
    end if;
    if earlier_only then
        conditions := conditions || 'd.publication_year < $7'::text;
    end if;
    if array_to_string(conditions, ' ') ~ '[id]\.' then
        joins := 'join imgsim.image i using (image_id) '
            'left join imgsim.ecco_document d on d.ecco_id = i.ecco_id';
    end if;
    -- Filled in below: the order, where the bare operator takes the index and anything else compares
    -- with all; and how many to take. `distance + 0`, because they come sorted by `distance` as far
    -- as the planner knows.
    ranking := format(
        'select array_agg(c.image_id order by c.distance + 0), array_agg(c.distance order by c.distance + 0)
         from (
             select e.image_id, e.embedding operator(@vector@.<=>) $1 as distance
             from imgsim.%I e %s
             where %s
             order by %%s, e.image_id
             limit $4
         ) c
         where c.distance <= $5',
        m.embedding_table, joins, coalesce(nullif(array_to_string(conditions, ' and '), ''), 'true'));

    if min_similarity is null and not exact then
        execute format('set local hnsw.ef_search = %s', width);
        set local hnsw.iterative_scan = strict_order;
        -- Two fewer than collected, the image itself and one that sorting reads ahead: for one
        -- more the index would search on.
        execute format(ranking, 'e.embedding operator(@vector@.<=>) $1')
            into ids, distances
            using query, query_image_id, book.ecco_id, greatest(wanted, width - 2), furthest,
                book.work_id, book.publication_year;
        if ef_search_before is not null then
            execute format('set local hnsw.ef_search = %s', ef_search_before);
            execute format('set local hnsw.iterative_scan = %s', iterative_scan_before);
        end if;
    end if;
    if coalesce(cardinality(ids), 0) < wanted or wanted is null or exact or min_similarity is not null then
        execute format(ranking, '(e.embedding operator(@vector@.<=>) $1) + 0')
            into ids, distances
            using query, query_image_id, book.ecco_id, wanted + spare, furthest,
                book.work_id, book.publication_year;
        -- Are even the last of these as near as the k-th may be in truth, so are perhaps others.
        if distances[wanted + spare] <= distances[wanted] + 2 * off then
            execute format(ranking, '(e.embedding operator(@vector@.<=>) $1) + 0')
                into ids, distances
                using query, query_image_id, book.ecco_id, null::integer, distances[wanted] + 2 * off,
                    book.work_id, book.publication_year;
        end if;
    end if;
    execute format(
        'select array_agg(r.image_id order by r.similarity desc, r.image_id),
                array_agg(r.similarity order by r.similarity desc, r.image_id)
         from (
             select c.image_id, c.similarity
             from (
                 select e.image_id, imgsim.cosine(e.embedding, $1) as similarity
                 from imgsim.%I e
                 where e.image_id = any($2)
             ) c
             where $3 is null or c.similarity >= $3
             order by c.similarity desc, c.image_id
             limit $4
         ) r',
        m.embedding_table)
        into ids, similarities
        using query, ids, min_similarity, wanted;

    return query
    with known as materialized (
        select b.image_id, b.background
        from imgsim.backgrounds(m.model_id, ids || query_image_id) b
    )
    select r.rank::integer, i.image_id, i.name, r.similarity, i.ecco_id, i.page_number, i.path,
        imgsim.normalised(
            r.similarity,
            (select q.background from known q where q.image_id = query_image_id),
            o.background)
    from unnest(ids, similarities) with ordinality as r (image_id, similarity, rank)
    join imgsim.image i using (image_id)
    left join known o on o.image_id = i.image_id
    order by r.rank;
end
$$;
