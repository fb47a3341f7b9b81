-- What do scholars say of each pair they have judged, and which books are the two from? Those they
-- contradict each other about come first.
--   select * from imgsim.verdict_pair_ecco where verdict = 'same block' and ecco_id <> other_ecco_id;
--
-- Beside it, what comparing the two has come to (`relation`, `probability`). `changed_since` says
-- that one of the two files has got another content after the latest verdict.
-- needs: verdict_pair, image_ecco, other_ecco
create or replace view imgsim.verdict_pair_ecco as
select
    i.name,
    o.other_name,
    p.verdict,
    p.disputed,
    p.scholars,
    p.said,
    p.notes,
    r.relation,
    r.probability,
    i.publication_year,
    o.other_publication_year,
    i.ecco_full_title,
    o.other_ecco_full_title,
    i.publication_place,
    o.other_publication_place,
    i.ecco_id,
    o.other_ecco_id,
    i.page_number,
    o.other_page_number,
    p.image_id,
    p.other_id,
    p.at,
    (f.changed_at > f.added_at and f.changed_at > p.at)
        or (g.changed_at > g.added_at and g.changed_at > p.at) as changed_since -- whether a file was replaced by another after the latest verdict
from imgsim.verdict_pair p
join imgsim.image_ecco i on i.image_id = p.image_id
join imgsim.other_ecco o on o.other_id = p.other_id
join imgsim.image f on f.image_id = p.image_id
join imgsim.image g on g.image_id = p.other_id
left join imgsim.verification r on r.image_id = p.image_id and r.other_id = p.other_id
order by p.disputed desc, p.image_id, p.other_id;
