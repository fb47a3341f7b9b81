-- What do scholars say of each pair they have judged, and which books are the two from? Those they
-- contradict each other about come first.
--   select * from imgsim.verdict_pair_ecco where verdict = 'same block' and ecco_id <> other_ecco_id;
--
-- Beside it, what comparing the two has come to (`relation`, `probability`). `changed_since` says
-- that one of the two files has got another content after the latest verdict.
-- needs: verdict_pair
create or replace view imgsim.verdict_pair_ecco as
select
    i.name,
    o.name as other_name,
    p.verdict,
    p.disputed,
    p.scholars,
    p.said,
    p.notes,
    r.relation,
    r.probability,
    d.publication_year,
    od.publication_year as other_publication_year,
    d.ecco_full_title,
    od.ecco_full_title as other_ecco_full_title,
    d.publication_place,
    od.publication_place as other_publication_place,
    i.ecco_id,
    o.ecco_id as other_ecco_id,
    i.page_number,
    o.page_number as other_page_number,
    p.image_id,
    p.other_id,
    p.at,
    (i.changed_at > i.added_at and i.changed_at > p.at)
        or (o.changed_at > o.added_at and o.changed_at > p.at) as changed_since
from imgsim.verdict_pair p
join imgsim.image i on i.image_id = p.image_id
join imgsim.image o on o.image_id = p.other_id
left join imgsim.verification r on r.image_id = p.image_id and r.other_id = p.other_id
left join imgsim.ecco_document d on d.ecco_id = i.ecco_id
left join imgsim.ecco_document od on od.ecco_id = o.ecco_id
order by p.disputed desc, p.image_id, p.other_id;
