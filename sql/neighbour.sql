-- The nearest images of every image by each model, a row each; ties in the order of other_id.
--   select * from imgsim.neighbour where model_id = 1 and image_id = 7 order by rank;
create or replace view imgsim.neighbour as
select l.model_id, l.image_id, n.rank::smallint as rank, n.other_id, n.similarity
from imgsim.neighbour_list l
cross join lateral unnest(l.other_ids, l.similarities)
    with ordinality as n (other_id, similarity, rank);
