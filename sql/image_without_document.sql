-- Which images have no book in the bibliography, and why?
--   select reason, count(*), min(name) from imgsim.image_without_document group by reason;
-- needs: file_link
create or replace view imgsim.image_without_document as
select
    i.image_id,
    i.name,
    i.ecco_id,
    case
        when i.ecco_id is null then 'the image has no ecco_id'
        else 'the bibliography has no such ecco_id'
    end as reason, -- whether it names no book, or one that is not in the bibliography
    i.path,
    imgsim.file_link(i.path) as link -- the address that opens the file with a click
from imgsim.image i
left join imgsim.ecco_document d using (ecco_id)
where d.ecco_id is null;
