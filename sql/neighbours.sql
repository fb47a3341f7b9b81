-- The nearest of every image, both sides joined with their books, with filters inside the search.
--   select * from imgsim.neighbours('resnet18-print', k => 4, other_documents_only => true);
--   select * from imgsim.neighbours('resnet18-print', min_similarity => 0.94, earlier_only => true);
--
-- With `min_similarity` all that reach it (the first k, if k is given), from the stored pairs.
-- Without filters the stored lists, which are exact. With a filter and no threshold each image is
-- searched anew with `imgsim.similar`: through its HNSW index, or exactly with `exact => true`.
-- `normalised` is the similarity read against both images' backgrounds, where neighbour lists are
-- stored (`imgsim.normalised`).
-- needs: require_k, require_neighbours, require_pairs, nearest, image_ecco, model_named, default_model, background, normalised
create or replace function imgsim.neighbours(
    model text default imgsim.default_model(),
    k integer default null,
    min_similarity double precision default null,
    other_documents_only boolean default false,
    other_works_only boolean default false,
    earlier_only boolean default false,
    exact boolean default false
)
returns table (
    image_id bigint,
    name text,
    rank integer,
    similarity double precision,
    other_id bigint,
    other_name text,
    ecco_id text,
    page_number integer,
    ecco_full_title text,
    publication_year integer,
    publication_place text,
    other_ecco_id text,
    other_page_number integer,
    other_ecco_full_title text,
    other_publication_year integer,
    other_publication_place text,
    normalised double precision
)
language plpgsql
stable
as $$
declare
    wanted integer := coalesce(k, case when min_similarity is null then 10 end);
    filtered boolean := other_documents_only or other_works_only or earlier_only;
    chosen imgsim.model := imgsim.model_named(model);
    candidates text;
begin
    if k is not null then
        perform imgsim.require_k(k);
    end if;
    if min_similarity is not null then
        perform imgsim.require_pairs(model, min_similarity);
        candidates := '
            select p.image_id, p.other_id, p.similarity
            from imgsim.pair p
            where p.model_id = $1 and p.similarity >= $2
            union all
            select p.other_id, p.image_id, p.similarity
            from imgsim.pair p
            where p.model_id = $1 and p.similarity >= $2';
    elsif not filtered then
        perform imgsim.require_neighbours(model, wanted);
        candidates := '
            select n.image_id, n.other_id, n.similarity
            from imgsim.neighbour n
            where n.model_id = $1 and n.rank <= $3';
    else
        candidates := format('
            select e.image_id, n.image_id as other_id, n.similarity
            from imgsim.%I e
            cross join lateral imgsim.nearest(
                e.embedding, $4, k => $3, exact => $5, query_image_id => e.image_id,
                other_documents_only => $6, other_works_only => $7, earlier_only => $8) n',
            chosen.embedding_table);
    end if;
    return query execute format('
        with known as materialized (
            select l.image_id, imgsim.background(l.similarities) as background
            from imgsim.neighbour_list l
            where l.model_id = $1
        )
        select
            j.image_id, j.name, j.place::integer, j.similarity, j.other_id, j.other_name,
            j.ecco_id, j.page_number, j.ecco_full_title, j.publication_year, j.publication_place,
            j.other_ecco_id, j.other_page_number, j.other_ecco_full_title,
            j.other_publication_year, j.other_publication_place,
            imgsim.normalised(j.similarity, b.background, ob.background)
        from (
            select
                c.image_id, i.name, c.similarity, c.other_id, o.name as other_name,
                row_number() over (
                    partition by c.image_id order by c.similarity desc, c.other_id) as place,
                i.ecco_id, i.page_number, i.ecco_full_title, i.publication_year,
                i.publication_place,
                o.ecco_id as other_ecco_id,
                o.page_number as other_page_number,
                o.ecco_full_title as other_ecco_full_title,
                o.publication_year as other_publication_year,
                o.publication_place as other_publication_place
            from (%s) c
            join imgsim.image_ecco i on i.image_id = c.image_id
            join imgsim.image_ecco o on o.image_id = c.other_id
            where (not ($6 or $7) or i.ecco_id is null or o.ecco_id is distinct from i.ecco_id)
                and (not $7 or i.work_id is null or o.work_id is distinct from i.work_id)
                and (not $8 or o.publication_year < i.publication_year)
        ) j
        left join known b on b.image_id = j.image_id
        left join known ob on ob.image_id = j.other_id
        where $3 is null or j.place <= $3
        order by j.image_id, j.place',
        candidates)
        using chosen.model_id, min_similarity, wanted, model, exact,
            other_documents_only, other_works_only, earlier_only;
end
$$;
