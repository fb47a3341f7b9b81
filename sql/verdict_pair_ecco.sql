-- What do scholars say of each pair they have judged, and which books are the two from? Those they
-- contradict each other about come first.
--   select * from imgsim.verdict_pair_ecco where verdict = 'same block' and ecco_id <> other_ecco_id;
--
-- Beside it, what comparing the two has come to (`relation`, `probability`). `changed_since` says
-- that one of the two files has got another content after the latest verdict.
-- needs: verdict_pair, two_images_ecco
create or replace view imgsim.verdict_pair_ecco as
select
    t.name,
    t.other_name,
    p.verdict,
    p.disputed,
    p.scholars,
    p.said,
    p.notes,
    r.relation,
    r.probability,
    t.publication_year,
    t.other_publication_year,
    t.ecco_full_title,
    t.other_ecco_full_title,
    t.publication_place,
    t.other_publication_place,
    t.ecco_id,
    t.other_ecco_id,
    t.page_number,
    t.other_page_number,
    p.image_id,
    p.other_id,
    p.at,
    (i.changed_at > i.added_at and i.changed_at > p.at)
        or (o.changed_at > o.added_at and o.changed_at > p.at) as changed_since -- whether a file was replaced by another after the latest verdict
from imgsim.verdict_pair p
join imgsim.two_images_ecco t on t.image_id = p.image_id and t.other_id = p.other_id
join imgsim.image i on i.image_id = p.image_id
join imgsim.image o on o.image_id = p.other_id
left join imgsim.verification r on r.image_id = p.image_id and r.other_id = p.other_id
order by p.disputed desc, p.image_id, p.other_id;
