-- Every image with the book it comes from; the bibliographic columns are null where none is known.
--   select name, ecco_full_title, publication_year from imgsim.image_ecco limit 20;
-- needs: file_link
create or replace view imgsim.image_ecco as
select
    i.image_id,
    i.name,
    i.path,
    i.width,
    i.height,
    i.ecco_id,
    i.page_id,
    i.page_number,
    i.illustration,
    d.estc_id,
    d.ecco_full_title,
    d.publication_year,
    d.publication_decade,
    d.work_id,
    d.publication_place,
    d.publication_country,
    d.document_type,
    d.sub_category,
    d.authors,
    imgsim.file_link(i.path) as link -- the address that opens the file with a click
from imgsim.image i
left join imgsim.ecco_document d using (ecco_id);
