-- Where, when and in which book does each picture of a group appear?
--   select * from imgsim.reuse_event where group_id = 1 order by appearance;
--
-- `appearance` counts the members of a group in the order of their years; those of unknown year
-- come last, and in one year the lesser ecco_id and page come first, which says nothing of what was
-- printed first. `gap` is the years since the last appearance before in another book. `is_first`
-- and `is_last` mark the members of the earliest and of the latest year that is known. `edition`
-- and `printer` are further columns of the metadata, where they have been loaded with it.
-- needs: file_link
create or replace view imgsim.reuse_event as
with document as (
    select
        m.group_id,
        i.ecco_id,
        d.publication_year,
        lag(d.publication_year) over (
            partition by m.group_id
            order by d.publication_year, i.ecco_id collate "C"
        ) as year_before
    from imgsim.group_member m
    join imgsim.image i using (image_id)
    join imgsim.ecco_document d using (ecco_id)
    where d.publication_year is not null
    group by m.group_id, i.ecco_id, d.publication_year
)
select
    m.group_id,
    row_number() over (
        partition by m.group_id
        order by d.publication_year, i.ecco_id collate "C", i.page_number, m.image_id
    ) as appearance, -- the place of the image among those of its group, in order of year
    m.image_id,
    i.name,
    d.publication_year,
    e.publication_year - e.year_before as gap, -- years since the last appearance in another book
    coalesce(d.publication_year = min(d.publication_year) over whole, false) as is_first, -- of the first year that is known
    coalesce(d.publication_year = max(d.publication_year) over whole, false) as is_last, -- of the last year that is known
    i.ecco_id,
    i.page_number,
    d.ecco_full_title,
    d.publication_place,
    d.authors,
    coalesce(d.extra ->> 'printer', d.extra ->> 'publisher') as printer, -- who printed or published the book, where the metadata has it
    d.extra ->> 'edition' as edition, -- the edition, where the metadata has it
    d.estc_id,
    d.work_id,
    d.publication_decade,
    d.publication_country,
    d.language_primary,
    d.gatherings,
    d.document_type,
    d.sub_category,
    i.path,
    imgsim.file_link(i.path) as link -- the address that opens the file with a click
from imgsim.group_member m
join imgsim.image i using (image_id)
left join imgsim.ecco_document d using (ecco_id)
left join document e on e.group_id = m.group_id and e.ecco_id = i.ecco_id
window whole as (partition by m.group_id);
