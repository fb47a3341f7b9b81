-- A similarity read against the background of both images: by how much more do they resemble each
-- other than either resembles what it has nothing to do with?
--   select imgsim.normalised(0.96, 0.95, 0.70), imgsim.normalised(0.96, 0.95, null);
--
-- The similarity less the mean of the two backgrounds, or less the one that is known; null where
-- neither is.
create or replace function imgsim.normalised(
    similarity double precision,
    background double precision,
    other_background double precision
)
returns double precision
language sql
immutable
parallel safe
return similarity - coalesce((background + other_background) / 2, background, other_background);
