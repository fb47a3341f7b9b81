-- How many candidates does the HNSW index collect (ef_search) for the k nearest?
--   select imgsim.search_width(10);
--
-- At least as many as pgvector's own default, and room above k: the index ranks in half precision
-- and may miss some; the more it collects, the fewer. `imgsim.recall` measures what comes of it.
create or replace function imgsim.search_width(k integer)
returns integer
language sql
immutable
parallel safe
return least(1000, greatest(40, 2 * least(k, 1000) + 20));
