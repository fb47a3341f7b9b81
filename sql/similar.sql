-- Which stored images are like this one, given by its name, path or id?
--   select * from imgsim.similar('096240010000330_0', model => 'resnet18-print', k => 10);
--   select * from imgsim.similar('096240010000330_0', min_similarity => 0.94, other_documents_only => true);
-- needs: similar_by_id, image_id, default_model
-- no path: whatever the caller's is, the names here are qualified or fit PostgreSQL's own exactly
create or replace function imgsim.similar(
    image text,
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
begin
    return query
    select s.*
    from imgsim.similar(
        imgsim.image_id(image), model, k, min_similarity, other_documents_only, exact,
        other_works_only, earlier_only) s;
end
$$;
