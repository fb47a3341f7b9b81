-- How many images have a document in the bibliography, how many documents have images, and which,
-- for example, have none?
--   select * from imgsim.coverage;
--
-- The pictures without a book are those that name none and those whose document is not loaded.
create or replace view imgsim.coverage as
with linked as (
    select
        i.image_id,
        i.ecco_id,
        d.ecco_id is not null as has_document
    from imgsim.image i
    left join imgsim.ecco_document d using (ecco_id)
), images as (
    select
        count(*) filter (where l.has_document) as documented,
        count(*) filter (where l.ecco_id is null) as unnamed,
        count(*) filter (where l.ecco_id is not null and not l.has_document) as unknown,
        count(distinct l.ecco_id) filter (where not l.has_document) as unknown_documents,
        min(l.image_id) filter (where l.has_document) as documented_id,
        min(l.image_id) filter (where not l.has_document) as undocumented_id,
        min(l.image_id) filter (where l.ecco_id is null) as unnamed_id,
        min(l.image_id) filter (where l.ecco_id is not null and not l.has_document) as unknown_id,
        min(l.ecco_id) filter (where not l.has_document) as unknown_document
    from linked l
), documents as (
    select
        count(*) filter (where x.has_images) as used,
        count(*) filter (where not x.has_images) as unused,
        min(x.ecco_id) filter (where x.has_images) as used_id,
        min(x.ecco_id) filter (where not x.has_images) as unused_id
    from (
        select d.ecco_id, d.ecco_id in (select l.ecco_id from linked l where l.has_document) as has_images
        from imgsim.ecco_document d
    ) x
), lines as (
    select 1 as line, 'pictures with a book' as what, i.documented as count,
        i.documented_id as image_id, null as ecco_id
    from images i
    union all
    select 2, 'pictures without a book', i.unnamed + i.unknown, i.undocumented_id, null
    from images i
    union all
    select 3, 'pictures that name no book', i.unnamed, i.unnamed_id, null
    from images i
    union all
    select 4, 'pictures whose book is not loaded', i.unknown, i.unknown_id, null
    from images i
    union all
    select 5, 'books with pictures', d.used, null, d.used_id
    from documents d
    union all
    select 6, 'books without pictures', d.unused, null, d.unused_id
    from documents d
    union all
    select 7, 'books not loaded that pictures name', i.unknown_documents, null, i.unknown_document
    from images i
)
select
    l.what, -- what is counted
    l.count, -- how many there are
    coalesce(i.name, l.ecco_id) as example -- the first of them: a name of an image, or an ecco_id
from lines l
left join imgsim.image i using (image_id)
order by l.line;
