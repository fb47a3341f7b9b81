-- The nearest images of every image by each model, a row each; ties in the order of other_id.
--   select * from imgsim.neighbour where model_id = 1 and image_id = 7 order by rank;
--
-- `normalised` is the similarity read against both images' backgrounds (`imgsim.normalised`).
-- needs: background, normalised
create or replace view imgsim.neighbour as
select
    l.model_id,
    l.image_id,
    n.rank::smallint as rank, -- the place in the list, from 1
    n.other_id, -- the neighbour
    n.similarity, -- how alike they are: the cosine of their vectors, rounded to seven decimals
    imgsim.normalised(
        n.similarity,
        imgsim.background(l.similarities),
        imgsim.background(o.similarities)
    ) as normalised -- the similarity read against both images' backgrounds (imgsim.normalised)
from imgsim.neighbour_list l
cross join lateral unnest(l.other_ids, l.similarities)
    with ordinality as n (other_id, similarity, rank)
left join imgsim.neighbour_list o on o.model_id = l.model_id and o.image_id = n.other_id;
